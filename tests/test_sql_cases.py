"""The SQL models and ready queries on tiny inputs: one folder a case, see sql/README.md."""

import re
from pathlib import Path

import duckdb
import pytest
from sql_cases import (
    CASES,
    CASES_ROOT,
    INPUTS,
    MODELS,
    QUERIES,
    SQL,
    TABLES,
    Rows,
    given_days,
    make_days,
    make_inputs,
    model_of,
    read_csv,
    rows_of,
    run_model,
    settings_of,
    title_of,
)

LEAST_CASES = {"sessions": 12, "daily": 8, "hourly": 6, "days": 3}
SENTENCE = re.compile(r"[a-z0-9]+(_[a-z0-9]+){2,}")


def ordered(rows: Rows, model: str) -> Rows:
    """Sort rows of a model that says no order; queries say theirs."""
    return rows if model.startswith("queries/") or model == "days" else sorted(rows, key=repr)


@pytest.mark.parametrize("is_reversed", [False, True], ids=["in_order", "reversed"])
@pytest.mark.parametrize("case", CASES, ids=title_of)
def test_case_gives_what_its_note_works_out(case: Path, is_reversed: bool) -> None:
    """The model gives the rows of expect.csv, whatever the order of its inputs' rows."""
    model, settings = model_of(case), settings_of(case)
    with make_inputs(case, model, is_reversed=is_reversed) as connection:
        run_model(connection, model, settings)
        expect = read_csv(connection, case / "expect.csv")
        expect.create_view("expect")
        wanted = rows_of(connection, expect.columns, "expect")
        given = rows_of(connection, expect.columns, "result")
    assert ordered(given, model) == ordered(wanted, model)


@pytest.mark.parametrize("model", MODELS + QUERIES)
def test_model_has_whole_cases_named_by_sentences(model: str) -> None:
    """Every model has enough cases; each is a sentence with inputs, expectation and a note."""
    folders = [path for path in (CASES_ROOT / model).iterdir() if path.is_dir()]
    assert len(folders) >= LEAST_CASES.get(model, 1)
    for folder in folders:
        names = {path.name for path in folder.iterdir()}
        assert {"NOTE.md", "expect.csv"} <= names, folder
        assert names <= {f"{table}.csv" for table in INPUTS} | {
            "NOTE.md", "expect.csv", "case.json"
        }, folder  # fmt: skip
        assert len((folder / "NOTE.md").read_text().split()) >= 10, folder
        assert SENTENCE.fullmatch(folder.name), folder


def test_cases_belong_to_models() -> None:
    """No case folder is left without a model."""
    assert {model_of(case) for case in CASES} == {*MODELS, *QUERIES}


@pytest.mark.parametrize("model", MODELS)
def test_model_has_the_documented_columns_and_types(model: str) -> None:
    """A model's output has the documented columns in order, further ones only at the end."""
    case = next(case for case in CASES if model_of(case) == model)
    with make_inputs(case, model) as connection:
        run_model(connection, model, settings_of(case))
        described = connection.execute("DESCRIBE result").fetchall()
    found = [(name, kind) for name, kind, *_ in described if model == "days" or name != "day"]
    assert found[: len(TABLES[model])] == list(TABLES[model].items())


@pytest.mark.parametrize(
    "case", [case for case in CASES if model_of(case) == "sessions"], ids=title_of
)
def test_sessions_do_not_depend_on_which_days_are_built_together(case: Path) -> None:
    """Each day built alone, beside its neighbours only, has the sessions it has with all others."""
    settings = settings_of(case)
    together: Rows = []
    alone: Rows = []
    with make_inputs(case, "sessions") as connection:
        days = [row for row in given_days(connection, case) if row["is_built"]]
        make_days(connection, days, settings)
        run_model(connection, "sessions", settings)
        columns = connection.table("result").columns
        together = rows_of(connection, columns, "result")
        connection.execute("ALTER TABLE hits RENAME TO all_hits")
        for day in (row["day"] for row in days):
            near = [row for row in days if abs((row["day"] - day).days) <= 1]
            make_days(connection, [row | {"is_built": row["day"] == day} for row in near], settings)
            connection.execute(
                "CREATE OR REPLACE VIEW hits AS FROM all_hits WHERE day IN (SELECT day FROM days)"
            )
            run_model(connection, "sessions", settings)
            alone += rows_of(connection, columns, "result")
    assert sorted(alone, key=repr) == sorted(together, key=repr)


def test_session_ids_hang_on_the_key_and_nothing_else() -> None:
    """Two runs give the same distinct ids; with another key every id is another."""
    case = CASES_ROOT / "sessions" / "thirty_minutes_and_a_second_starts_the_next"
    ids = []
    with make_inputs(case, "sessions") as connection:
        for key in (b"k", b"k", b"K"):
            run_model(connection, "sessions", settings_of(case), key)
            ids.append({row["session_id"] for row in rows_of(connection, ["session_id"], "result")})
    assert ids[0] == ids[1]
    assert len(ids[0]) == 2
    assert not ids[0] & ids[2]


@pytest.mark.parametrize(
    "path", sorted(SQL.rglob("*.sql")), ids=lambda path: path.relative_to(SQL).as_posix()
)
def test_sql_file_says_what_it_makes(path: Path) -> None:
    """Each file is one SELECT under a header with grain, inputs and exactly its parameters."""
    text = path.read_text()
    header = [line for line in text.splitlines() if line.startswith("--")]
    assert text.splitlines()[: len(header)] == header
    assert re.match(r"-- [A-Z].*[.:]", header[0])
    says = {kind: rest for line in header if (m := re.match(r"-- (\w+): +(.*)", line))
            for kind, rest in [m.groups()]}  # fmt: skip
    assert {"grain", "inputs", "params"} <= set(says)
    (statement,) = duckdb.extract_statements(text)
    assert statement.type == duckdb.StatementType.SELECT
    params = "".join(header)
    assert set(re.findall(r"\$(\w+)", params)) == set(statement.named_parameters)
