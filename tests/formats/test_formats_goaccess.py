"""GoAccess's dates and times: by its date-format where there is one, else where they tell."""

from datetime import UTC, datetime

import pytest
from layout_lines import read

from pipeline.errors import SettingsError
from pipeline.formats.layouts import find_layout

REQUEST = '"GET /a HTTP/1.1" 200 154'
MORNING = datetime(2016, 3, 21, 6, 46, 24, tzinfo=UTC)
OFFSET = MORNING.replace(hour=4)
TAIL = '"%r" %s %b'


def read_ts(form: str, line: str) -> datetime:
    block = read(find_layout(form), line)
    assert (len(block.hits), block.rejects) == (1, [])
    (hit,) = block.hits.to_pylist()
    assert (hit["client"], hit["path"], hit["status"]) == ("203.0.113.1", "/a", 200)
    return hit["ts"]


@pytest.mark.parametrize(
    ("form", "text", "ts"),
    [
        ("[%d:%t %^]", "[21/Mar/2016:06:46:24 +0200]", OFFSET),
        ("[%d:%t.%^ %^]", "[21/Mar/2016:06:46:24.123 +0200]", OFFSET.replace(microsecond=123000)),
        ("[%d:%t.%^]", "[21/Mar/2016:06:46:24.123]", MORNING.replace(microsecond=123000)),
        ("[%d:%t]", "[21/Mar/2016:06:46:24.5]", MORNING.replace(microsecond=500000)),
        ("[%dT%t%^]", "[2016-03-21T06:46:24+0200]", OFFSET),
        ("[%dT%t%^]", "[2016-03-21T06:46:24Z]", MORNING),
        ("[%dT%t.%^]", "[2016-03-21T06:46:24.250Z]", MORNING.replace(microsecond=250000)),
        ("[%dT%t%^]", "[2016-03-21T06:46:24.250+02:00]", OFFSET.replace(microsecond=250000)),
        ("%d %t", "21/Mar/2016 06:46:24", MORNING),
        ("%d %t", "2016/03/21 06:46:24,7", MORNING.replace(microsecond=700000)),
        ("%d %t", "21-Mar-2016 6:46:24", MORNING),
        ("%d %t", "Mar 21, 2016 06:46:24 AM", MORNING),
        ("%d %t", "1 Mar 2016 12:46:24 AM", MORNING.replace(day=1, hour=0)),
        ("%d%t", "20160321064624", MORNING),
        ("%d %t %^", "2016-03-21 06:46:24 192.0.2.1", MORNING),
        ("%d %t %^", "2016-03-21 06:46:24 +0200", OFFSET),
        ("%d|%t|%^", "21.Mar.2016|06:46:24|-", MORNING),
        ("[%t %d]", "[06:46:24 21/Mar/2016]", MORNING),
        ("%t - %d", "06:46 - 2016.03.21", MORNING.replace(second=0)),
        ("%x", "2016-03-21T06:46:24+0200", OFFSET),
    ],
)
def test_a_date_that_can_be_told_apart_needs_no_format(form: str, text: str, ts: datetime) -> None:
    """What GoAccess skips as ``%^`` is read where it is a fraction or an offset."""
    assert read_ts(f"%h {form} {TAIL}", f"203.0.113.1 {text} {REQUEST}") == ts


@pytest.mark.parametrize(
    ("date", "clock", "text", "ts"),
    [
        ("%d/%m/%Y", "%H:%M:%S", "21/03/2016:06:46:24 +0200", OFFSET),
        ("%m/%d/%y", "%T", "03/21/16:06:46:24 -", MORNING),
        ("%d/%b/%Y", "%H:%M:%S", "21/Mar/2016:06:46:24 +0200", OFFSET),
        ("%Y%m%d", "%H%M%S", "20160321:064624 x", MORNING),
        ("%d/%b/%Y", "%I:%M:%S %p", "21/Mar/2016:06:46:24 AM +0200", OFFSET),
        ("%d.%m.%Y", "%T", "21.03.2016:06:46:24 Z", MORNING),
        ("%e %B %Y", "%R", "21 March 2016:06:46 x", MORNING.replace(second=0)),
    ],
)
def test_a_date_is_what_its_format_says(date: str, clock: str, text: str, ts: datetime) -> None:
    conf = f"time-format {clock}\ndate-format {date}\nlog-format %h [%d:%t %^] {TAIL}\n"
    assert read_ts(conf, f"203.0.113.1 [{text}] {REQUEST}") == ts


@pytest.mark.parametrize(
    ("conf", "text", "ts"),
    [
        ("datetime-format %d/%m/%Y %H:%M:%S", "21/03/2016 06:46:24", MORNING),
        ("datetime-format %s", "1458542784", MORNING),
        ("datetime-format %*", "1458542784000", MORNING),
        ("date-format %f\ntime-format %f", "1458542784000000", MORNING),
        ("date-format %Y%m%d\ntime-format %H%M%S", "20160321064624", MORNING),
    ],
)
def test_a_date_and_time_in_one(conf: str, text: str, ts: datetime) -> None:
    form = f"{conf}\nlog-format %h [%x] {TAIL}"
    assert read_ts(form, f"203.0.113.1 [{text}] {REQUEST}") == ts


@pytest.mark.parametrize(
    "text",
    ["03/04/2016 06:46:24", "31/Feb/2016 06:46:24", "21/Xyz/2016 06:46:24", "2016-03-21 25:00"],
)
def test_a_date_that_may_be_two_days_or_none_is_rejected(text: str) -> None:
    block = read(find_layout(f"%h %d %t {TAIL}"), f"203.0.113.1 {text} {REQUEST}")
    assert [why.reason for _, _, why in block.rejects] == ["time"]


def test_formats_that_name_no_instant_say_what_is_lacking() -> None:
    with pytest.raises(SettingsError, match="it has no time of day: add %t"):
        find_layout(f"%h %d %^ {TAIL}")
    with pytest.raises(SettingsError, match="has no year: write datetime-format"):
        find_layout(f"datetime-format %H:%M\nlog-format %h %x {TAIL}")
    with pytest.raises(SettingsError, match="%Q of the format"):
        find_layout(f"date-format %Q\nlog-format %h %d %t {TAIL}")


def test_haproxys_own_format_in_goaccesss_words() -> None:
    line = (
        "203.0.113.1:2842 [21/Mar/2016:06:46:24.065] frontend~ gw/end 0/0/1/6/7 200 649 - - ----"
        ' 233/233/3/2/0 0/0 {end|UA} TLSv1.3 x "GET /a HTTP/1.1"'
    )
    read = read_ts('%h:%^ [%d:%t.%^] %^ %^ %^ %s %b %^"%r"', line)
    assert read == MORNING.replace(microsecond=65_000)
