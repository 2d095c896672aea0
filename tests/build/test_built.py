"""What each day was built from: a line a day, and the parts of those that are another."""

import shutil
from pathlib import Path

import pytest
from restated_lakes import COMPLETE, ELEVENTH, NINTH, Publisher

from pipeline.build.build import build_settings
from pipeline.build.built import PartsOfDays, parts_path, published_path, read_built
from pipeline.build.stale import take_stock
from pipeline.lake.ledger import read_json, write_json
from pipeline.lake.sheets import Sheet


@pytest.fixture
def site(tmp_path: Path) -> Publisher:
    site = Publisher(tmp_path)
    site.deliver("web01.log", US=3, CA=2)
    site.build(d8=COMPLETE)
    site.publish(NINTH)
    return site


def write_as_before(site: Publisher) -> None:
    """Write the ledger as versions up to 0.5 did: the parts in the two files themselves."""
    known, lines = PartsOfDays(site.lake), read_built(site.lake)
    marks = read_json(published_path(site.lake))
    for day, mark in marks.items():
        mark["parts"] = known.find(day, mark["parts"])
    parts = {day: known.find(day, line.parts) or {} for day, line in lines.items()}
    assert all(parts.values())
    assert all(mark["parts"] for mark in marks.values())
    write_json(site.lake.ledger / "built.json", parts)
    write_json(published_path(site.lake), marks)
    shutil.rmtree(site.lake.ledger / "parts")


@pytest.mark.rest_large
@pytest.mark.parametrize("is_old", [False, True])
def test_a_late_file_is_told_from_what_there_was(is_old: bool, site: Publisher) -> None:
    """By the ledger of an earlier version, too, which is then written as this one does."""
    if is_old:
        write_as_before(site)
    assert take_stock(site.lake, build_settings(site.settings, site.lake)).causes == {}
    assert site.publish(ELEVENTH) == []
    site.deliver("web02.log", US=1)
    site.build(d8=COMPLETE)
    assert [one.reason for one in site.publish(ELEVENTH)] == ["late files: web02.log"] * 2
    (day, line), (_, mark) = (
        *read_built(site.lake).items(),
        *read_json(published_path(site.lake)).items(),
    )
    assert read_json(parts_path(site.lake, day)).keys() == {line.parts} == {mark["parts"]}


def test_nothing_stale_reads_no_record(site: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor the parts; what records come to stands in their sheets' footers."""
    shutil.rmtree(site.lake.ledger / "parts")
    for name in ("read", "scan"):
        monkeypatch.setattr(Sheet, name, None)
    assert take_stock(site.lake, build_settings(site.settings, site.lake)).causes == {}


@pytest.mark.large
def test_a_day_whose_parts_are_lost_stands_until_its_files_change(site: Publisher) -> None:
    shutil.rmtree(site.lake.ledger / "parts")
    site.deliver("web02.log", US=1)
    stock = take_stock(site.lake, build_settings(site.settings, site.lake))
    assert [cause.text for its in stock.causes.values() for cause in its] == [
        "what it was built from is lost"
    ]
    site.build(d8=COMPLETE)
    assert [one.reason for one in site.publish(ELEVENTH)] == ["counted again"] * 2
