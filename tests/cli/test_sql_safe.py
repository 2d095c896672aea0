"""`sql --safe`: statements of those who are not trusted read the lake's tables, nothing else."""

from pathlib import Path

import pytest
from lake_fixtures import GOOD, Site

from pipeline.tables import VIEWS

SECRET = "the visitor key, which is not to be read"  # noqa: S105 of nobody


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A built site, its lake in a folder with an odd name, with a secret beside and within it."""
    site = Site(tmp_path_factory.mktemp("safe"))
    site.lake = site.folder / "it's a lake [1]"
    log = site.write("web.log", GOOD + b"no line\n")
    site.ingest("--lake", site.lake, log)
    site.run("build", "--lake", site.lake)
    for place in (site.folder / "visitor.key", site.lake / "visitor.key", site.lake / "ledger/x"):
        place.write_text(SECRET)
    return site


def ask(site: Site, statement: str, code: int = 0) -> str:
    """Return what the command says, of both streams."""
    done = site.run("sql", "--safe", "--lake", site.lake, "--format", "csv", statement, code=code)
    return done.out + done.err


@pytest.mark.rest_large
@pytest.mark.parametrize("table", VIEWS)
def test_every_table_of_the_lake_is_read(table: str, site: Site) -> None:
    """As without --safe."""
    plain = site.run("sql", "--lake", site.lake, "--format", "csv", f"FROM {table} ORDER BY ALL")
    assert ask(site, f"FROM {table} ORDER BY ALL") == plain.out


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT day, sum(sessions) FROM daily GROUP BY ALL ORDER BY day",
        "WITH a AS (FROM days) SELECT * FROM a JOIN daily USING (day)",
        "SELECT * FROM range(3) UNION ALL SELECT unnest([1, 2])",
        "VALUES (1)",
        "DESCRIBE daily",
        "SHOW TABLES",
        "SUMMARIZE hits",
        "SELECT * FROM (SELECT max(day) FROM daily); -- a remark",
        "SELECT 1 WHERE 'COPY' <> 'ATTACH'",
    ],
)
def test_questions_are_answered(statement: str, site: Site) -> None:
    """What only asks is allowed, whatever its words are."""
    assert ask(site, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_blob('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "FROM '/etc/passwd.csv'",
        "SELECT (SELECT content FROM read_text('{folder}/visitor.key'))",
        "SELECT * FROM read_text('{lake}/visitor.key')",
        "SELECT * FROM read_text('{lake}/ledger/x')",
        "SELECT * FROM read_text('{lake}/daily/../visitor.key')",
        "SELECT * FROM '{lake}/daily/../../visitor.key'",
        "SELECT * FROM daily WHERE EXISTS (FROM main.read_text('{folder}/visitor.key'))",
        "SELECT * FROM glob('/etc/*')",
        "FROM query('FROM read_text(''/etc/hostname'')')",
        "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        "FROM read_parquet('{lake}/daily/*/*.parquet')",
        "FROM read_duckdb('{lake}/tidegauge.duckdb', table_name = 'daily')",
        "DESCRIBE FROM read_csv('/etc/hostname')",
        "FROM read_parquet('https://127.0.0.1:1/x.parquet')",
        "FROM 's3://bucket/x.parquet'",
        "FROM enable_logging(storage = 'file', storage_path = '{folder}/new')",
        "FROM \"Enable_Logging\"(storage = 'stdout')",
        "CALL enable_logging(storage = 'file', storage_path = '{folder}/new')",
        "FROM enable_profiling(save_location = '{folder}/new.json')",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "COPY (SELECT 1) TO '{lake}/daily/new.parquet'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/daily/new.parquet'",
        "SELECT 1; COPY (SELECT 1) TO '{lake}/daily/new.parquet'",
        "EXPORT DATABASE '{folder}/new'",
        "ATTACH '{folder}/new.duckdb' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH tidegauge",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '{folder}/visitor.key'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET allowed_directories",
        "SET temp_directory = '{folder}/new'",
        "PRAGMA enable_profiling",
        "SELECT 1; SET threads = 1",
        "CREATE TEMP TABLE new AS SELECT 1",
        "CREATE SECRET (TYPE s3)",
        "DROP VIEW daily",
        "CHECKPOINT",
        "USE memory",
        "SET VARIABLE x = 1",
        "PREPARE x AS SELECT 1",
        "SELEC 1",
        "FROM statement",
        "SELECT * FROM settings",
    ],
)
def test_all_else_is_refused(statement: str, site: Site) -> None:
    """One sentence, nothing read, nothing written, the process goes on."""
    before = {path: path.stat().st_mtime_ns for path in site.folder.rglob("*")}
    quoted = str(site.lake).replace("'", "''")
    said = ask(site, statement.format(folder=site.folder, lake=quoted), code=2)
    assert said.startswith("tidegauge: setting ")
    assert SECRET not in said
    assert {path: path.stat().st_mtime_ns for path in site.folder.rglob("*")} == before


@pytest.mark.large
def test_a_question_too_large_fails_and_writes_nothing(site: Site) -> None:
    """Memory is the set limit, and nothing spills beside the lake."""
    large = "SELECT count(*) FROM (SELECT uuid() AS u, range FROM range(60_000_000) ORDER BY u)"
    done = site.run("sql", "--safe", "--lake", site.lake, large, code=2,
                    env={"TIDEGAUGE_MEMORY_LIMIT_MB": "256"})  # fmt: skip
    assert "Out of Memory" in done.err
    assert not list(site.lake.glob("*.tmp"))


def test_ready_query_is_safe(site: Site) -> None:
    """`-f` takes a statement from a file of one's own or a ready one, with --safe too."""
    (site.folder / "mine.sql").write_text("SELECT count(*) AS n FROM hits")
    for file, said in (("mine.sql", "n\n1\n"), ("country_share.sql", "day,country,sessions")):
        done = site.run("sql", "--safe", "--lake", site.lake, "--format", "csv", "-f", file)
        assert done.out.startswith(said)


@pytest.mark.parametrize("name", ["us_per_day.sql", "queries/us_per_day.sql"])
def test_ready_queries_are_found_by_name(name: str, site: Site) -> None:
    """From any folder; a file of one's own by that name comes first."""
    done = site.run("sql", "--lake", site.lake, "--format", "csv", "-f", name)
    assert done.out.startswith("day,")
    Path(site.folder / name).parent.mkdir(exist_ok=True)
    Path(site.folder / name).write_text("SELECT 5 AS mine")
    try:
        assert site.run("sql", "--lake", site.lake, "--format=csv", "-f", name).out == "mine\n5\n"
    finally:
        Path(site.folder / name).unlink()


def test_unknown_file_names_the_ready_ones(site: Site) -> None:
    """None that needs a parameter is among them."""
    done = site.run("sql", "--lake", site.lake, "-f", "none.sql", code=2)
    names = (
        "busiest_hours.sql, country_share.sql, daily_entry_pages.sql, daily_referrers.sql,"
        " daily_subdivisions.sql, surge_entry_pages.sql, us_per_day.sql"
    )
    assert done.err == f"tidegauge: setting -f = 'none.sql': no such file; ready ones are {names}\n"
    assert all(name in site.run("sql", "--help").out for name in names.split(", "))


def test_help_says_what_a_statement_may_do(site: Site) -> None:
    """Files, network, extensions; and what shuts them off."""
    said = " ".join(site.run("sql", "--help").out.split())
    for words in ("read and write any file", "extensions", "network", "--safe"):
        assert words in said
