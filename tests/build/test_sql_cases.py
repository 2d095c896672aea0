"""The SQL models and ready queries on tiny inputs: one folder a case, see tests/sql/README.md."""

import re
from pathlib import Path

import duckdb
import pytest
from contract import TABLES
from sql_cases import (
    CASES,
    CASES_ROOT,
    COUNTS,
    INPUTS,
    MODELS,
    QUERIES,
    SQL,
    VIEWS,
    Rows,
    inputs_of,
    make_days,
    make_inputs,
    model_of,
    read_csv,
    reverse_inputs,
    rows_of,
    run_model,
    settings_of,
)

LEAST_CASES = {"sessions": 12, "daily": 8, "hourly": 6, "days": 3, "minutes": 6, "robotlike": 6}
SENTENCE = re.compile(r"[a-z0-9]+(_[a-z0-9]+){2,}")
HEADER = re.compile(
    r"-- .+\.\n-- grain:  .+\n-- inputs: .+\n-- params: .+\n(-- notes:  .+\n(--         .+\n)*)?"
)
"""What a model is, in a sentence, and on what terms."""


def title_of(case: Path) -> str:
    """Name a case by its model and sentence."""
    return f"{model_of(case)}-{case.name}"


def ordered(rows: Rows, model: str) -> Rows:
    """Sort rows of a model that says no order; queries and `days` say theirs."""
    return rows if model.startswith("queries/") or model == "days" else sorted(rows, key=repr)


@pytest.mark.parametrize("case", CASES, ids=title_of)
def test_case_gives_what_its_note_works_out(
    case: Path, database: duckdb.DuckDBPyConnection
) -> None:
    """The model gives the rows of expect.csv, whatever the order of its inputs' rows."""
    model, settings = model_of(case), settings_of(case)
    make_inputs(database, case)
    run_model(database, model, settings)
    expect = read_csv(database, case / "expect.csv")
    expect.create_view("expect")
    wanted = ordered(rows_of(database, expect.columns, "expect"), model)
    assert ordered(rows_of(database, expect.columns, "result"), model) == wanted
    reverse_inputs(database, inputs_of(model))
    run_model(database, model, settings)
    assert ordered(rows_of(database, expect.columns, "result"), model) == wanted


@pytest.mark.parametrize("model", MODELS + QUERIES + VIEWS + COUNTS)
def test_model_has_whole_cases_named_by_sentences(model: str) -> None:
    """Every model has enough cases; each is a sentence with inputs, expectation and a note."""
    folders = [path for path in (CASES_ROOT / model).iterdir() if path.is_dir()]
    assert len(folders) >= LEAST_CASES.get(model, 1)
    inputs = {f"{table}.csv" for table in inputs_of(model)}
    if "numbers.csv" in inputs:
        inputs.add("hits.csv")
    for folder in folders:
        names = {path.name for path in folder.iterdir()}
        assert {"NOTE.md", "expect.csv"} <= names, folder
        assert names <= inputs | {"NOTE.md", "expect.csv", "case.json"}, folder
        assert len((folder / "NOTE.md").read_text().split()) >= 10, folder
        assert SENTENCE.fullmatch(folder.name), folder


def test_cases_belong_to_models() -> None:
    """No case folder is left without a model."""
    assert {model_of(case) for case in CASES} == {*MODELS, *QUERIES, *VIEWS, *COUNTS}


@pytest.mark.parametrize("model", MODELS)
def test_model_has_the_documented_columns_and_types(
    model: str, database: duckdb.DuckDBPyConnection
) -> None:
    """A model's output has the documented columns in order, further ones only at the end."""
    case = next(case for case in CASES if model_of(case) == model)
    make_inputs(database, case)
    run_model(database, model, settings_of(case))
    described = database.execute("DESCRIBE result").fetchall()
    unpartitioned = ("days", "restatements")
    found = [(name, k) for name, k, *_ in described if model in unpartitioned or name != "day"]
    assert found[: len(TABLES[model])] == list(TABLES[model].items())


def has_several_days(case: Path) -> bool:
    """Whether the case is of sessions and its hits are of more than one date."""
    if model_of(case) != "sessions":
        return False
    return len(set(re.findall(r"\d{4}-\d\d-\d\d", (case / "hits.csv").read_text()))) > 1


@pytest.mark.rest_large
@pytest.mark.parametrize("case", [case for case in CASES if has_several_days(case)], ids=title_of)
def test_sessions_do_not_depend_on_which_days_are_built_together(
    case: Path, database: duckdb.DuckDBPyConnection
) -> None:
    """Each day built alone, beside its neighbours only, has the sessions it has with all others."""
    settings = settings_of(case)
    make_inputs(database, case)
    days = [
        {"day": day, "is_built": True, "geo_is_late": False}
        for (day,) in database.execute("SELECT DISTINCT day FROM hits").fetchall()
    ]
    make_days(database, days, settings)
    run_model(database, "sessions", settings)
    columns = database.table("result").columns
    together = rows_of(database, columns, "result")
    alone: Rows = []
    for built in days:
        make_inputs(database, case)
        near = [row for row in days if abs((row["day"] - built["day"]).days) <= 1]
        make_days(database, [row | {"is_built": row is built} for row in near], settings)
        database.execute("DELETE FROM hits WHERE day NOT IN (SELECT day FROM days)")
        run_model(database, "sessions", settings)
        alone += rows_of(database, columns, "result")
    assert sorted(alone, key=repr) == sorted(together, key=repr)


def test_session_ids_hang_on_the_key_and_nothing_else(
    database: duckdb.DuckDBPyConnection,
) -> None:
    """Two runs give the same distinct ids; with another key every id is another."""
    case = CASES_ROOT / "sessions" / "thirty_minutes_and_a_second_starts_the_next"
    ids = []
    make_inputs(database, case)
    for key in (b"k", b"k", b"K"):
        run_model(database, "sessions", settings_of(case), key)
        ids.append({row["session_id"] for row in rows_of(database, ["session_id"], "result")})
    assert ids[0] == ids[1]
    assert len(ids[0]) == 2
    assert not ids[0] & ids[2]


@pytest.mark.parametrize(
    "path", sorted(SQL.rglob("*.sql")), ids=lambda path: path.relative_to(SQL).as_posix()
)
def test_sql_file_says_what_it_makes(path: Path) -> None:
    """Each file is one SELECT of named columns under a header with its parameters and no others."""
    text = path.read_text()
    header = "".join(re.findall(r"^--.*\n", text, re.MULTILINE))
    assert text.startswith(header)
    assert HEADER.fullmatch(header)
    (statement,) = duckdb.extract_statements(text)
    assert statement.type == duckdb.StatementType.SELECT
    ((tree,),) = duckdb.execute("SELECT json_serialize_sql($1::VARCHAR)", [text]).fetchall()
    assert '"class":"STAR"' not in tree
    assert set(re.findall(r"\$(\w+)", header)) == set(statement.named_parameters)
    own = Path(path.relative_to(SQL)).with_suffix("").as_posix()
    assert set(inputs_of(own)) <= set(INPUTS)
