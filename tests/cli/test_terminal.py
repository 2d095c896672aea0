"""The terminal: nothing of a log line steers it, pipes may end early, logs go to stderr."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from conftest import COMMAND
from hostile_texts import EVIL, STEERING
from lake_fixtures import GOOD, Site, make_line


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def evil_lines() -> bytes:
    return b"".join(
        [
            make_line(agent=EVIL),
            make_line(request=f"GET /{EVIL}?{EVIL} HTTP/1.1", referrer=f"http://{EVIL}/"),
            make_line(client=EVIL.replace(" ", "")),
            f"{EVIL} rejected\n".encode(),
            GOOD.replace(b"[", EVIL.encode() + b"["),
        ]
    )


def test_log_lines_steer_no_terminal(site: Site) -> None:
    """No command sends a control character of a line or a file's name to the terminal."""
    path = site.write(f"w{EVIL}.log", evil_lines() + b"bad\n")
    cut = site.write(f"x{EVIL}.gz", b"\x1f\x8b\x08" + b"\0" * 9)
    done = [
        site.ingest(path, cut, code=1),
        site.ingest(path),
        site.run("build"),
        site.run("doctor", path, code=1),
        site.run("parse", path),
        site.run("parse", cut, code=1),
        site.run("doctor", cut, code=1),
        site.ingest(f"gone{EVIL}", code=1),
        site.run("sql", f"SELECT '{EVIL}' FROM nowhere", code=2),
        site.run("status", "--config", EVIL, code=2),
        site.run("status", env={"TIDEGAUGE_TIMEZONE": EVIL}, code=2),
        site.ingest(path, "--log-format", EVIL, code=2),
    ]
    for form in ("table", "csv", "json"):
        done += [
            site.run(command, "--format", form)
            for command in ("daily", "hourly", "expected", "surges", "status", "history")
        ]
        done += [site.run("sql", f"SELECT * FROM {t}", "--format", form) for t in ("hits", "rejects", "sessions")]  # noqa: E501  # fmt: skip
        done.append(site.run("sql", "PIVOT (FROM hits SELECT user_agent, 1 AS n) ON user_agent", "--format", form))  # noqa: E501  # fmt: skip
    for each in done:
        assert not STEERING.search(each.out + each.err), each


def shell(site: Site, line: str) -> subprocess.CompletedProcess[str]:
    env = site.environment({"PATH": f"{COMMAND.parent}:/usr/bin:/bin"})
    return subprocess.run(
        ["bash", "-c", line], cwd=site.folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.large
def test_reader_that_leaves_early_is_no_error(site: Site) -> None:
    """`| head -1` gets its line; the command ends with exit 0 and says nothing."""
    site.write("big.log", GOOD * 20_000)
    done = shell(site, "tidegauge parse raw/big.log | head -1; exit ${PIPESTATUS[0]}")
    assert done.stdout.count("\n") == 1
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.large
def test_verbose_logs_to_stderr_without_controls_or_addresses(site: Site) -> None:
    """-v logs each step with counts and duration on stderr, stdout stays the result."""
    site.write(f"w{EVIL}.log", GOOD)
    done = shell(site, "tidegauge -v ingest --no-geo --format json raw && tidegauge -v build")
    rows, _, built_text = done.stdout.rpartition("]\n")
    assert json.loads(rows + "]")
    assert built_text == "built 1 day: 2016-11-08 to 2016-11-08\n"
    assert re.search(r"INFO .*1 lines, 1 hits, 0 duplicates, 0 rejected, \d+ ms", done.stderr)
    assert "192.0.2.1" not in done.stderr
    assert not STEERING.search(done.stdout + done.stderr)


@pytest.mark.large
def test_piped_stdin_and_errors_by_the_real_command(site: Site) -> None:
    """The installed command reads a pipe and ends with the exit codes and one sentence."""
    site.write("web.log", GOOD)
    done = shell(site, "cat raw/web.log raw/web.log | tidegauge parse - | wc -l; tidegauge status")
    assert done.stdout == "2\n"
    assert (done.returncode, done.stderr) == (2, "tidegauge: no lake at lake: `tidegauge ingest` makes one\n")  # noqa: E501  # fmt: skip
