"""Alerts of each kind in French, and no English sentence in them."""

from dataclasses import replace
from datetime import UTC, date, datetime

from french_texts import find_english

from pipeline.alerts.common_rises import join_common
from pipeline.alerts.failures import Failure, _failed
from pipeline.alerts.figures import FigureChange, _incomplete, _restated
from pipeline.alerts.hours import write_alert
from pipeline.alerts.services import Alert, write_message
from pipeline.alerts.surges import _explain, find_news
from pipeline.alerts.today import HourRow
from pipeline.language import Language, LanguageCode
from pipeline.report.facts import Day, SurgeEpisode

FRENCH = Language(LanguageCode.fr)
EIGHTH, NINTH = date(2016, 11, 8), date(2016, 11, 9)
SURGE = SurgeEpisode("US", EIGHTH, NINTH, date(2016, 11, 16), 9, 36_746, 7_890.0, 28_856.0,
                     14_858, 16.94, is_open=False, is_at_least=True)  # fmt: skip
DAY = Day(NINTH, 5, 40_000, 2_202, 32_236, 0.117, EIGHTH, False, 5, 0.406, True, True,
          ["web03: nothing of this day but 00:00 to 00:02"], 2, [])  # fmt: skip
NARROW = "\N{NARROW NO-BREAK SPACE}"


def plain(alert: Alert) -> str:
    """Title and body, their special spaces as plain ones."""
    assert find_english(alert.title) == find_english(alert.body) == []
    return f"{alert.title}\n{alert.body}".replace(NARROW, " ").replace("\N{NO-BREAK SPACE}", " ")


def test_a_surge_that_opens_and_closes() -> None:
    because = _explain(SURGE, [DAY], FRENCH)
    (opened, closed), _ = find_news({SURGE: because}, date(2016, 12, 1), [], EIGHTH, FRENCH)
    assert plain(opened).startswith(
        "Afflux depuis le 2016-11-08 : États-Unis\nÉtats-Unis : au moins 14 858 sessions le"
        " 2016-11-09, au moins 16,9 fois le nombre attendu"
    )
    assert "Des visiteurs ont été refusés : 5 % ou plus des requêtes" in plain(opened)
    assert plain(closed).startswith(
        "Fin de l\N{RIGHT SINGLE QUOTATION MARK}afflux : États-Unis\nDurée : 9 jours, du 2016-11-08"
        " au 2016-11-16. Sommet le 2016-11-09 (au moins 14 858 sessions). Total : au moins 36 746"
    )
    whole = replace(SURGE, is_at_least=False, end_day=EIGHTH, peak_day=EIGHTH, days=1)
    (opened, closed), _ = find_news({whole: ""}, date(2016, 12, 1), [], EIGHTH, FRENCH)
    assert "au moins" not in plain(opened) + plain(closed)
    assert "Durée : 1 jour, le 2016-11-08." in plain(closed)


def test_countries_that_rise_alike() -> None:
    (rise,) = join_common([replace(SURGE, others_ratio=3.04)])
    (opened, closed), _ = find_news({rise: ""}, date(2016, 12, 1), [], EIGHTH, FRENCH)
    assert plain(opened) == (
        "Afflux commun à la plupart des pays depuis le 2016-11-08\nAu moins 36 746 sessions, 1"
        " pays, du 8 au 16 novembre 2016, contre 7 890 attendues. Les autres pays ont connu la même"
        " hausse, à 3,0 fois le nombre attendu : l\N{RIGHT SINGLE QUOTATION MARK}afflux n"
        "\N{RIGHT SINGLE QUOTATION MARK}est pas propre à un pays. Le pays où elle est la plus"
        " forte : États-Unis."
    )
    assert plain(closed).endswith(
        "Au moins 36 746 sessions, 1 pays, du 8 au 16 novembre 2016, contre 7 890 attendues."
    )


def test_hours_an_incomplete_day_a_restated_figure_and_a_failure() -> None:
    hour = datetime(2016, 11, 8, 21, tzinfo=UTC)
    rows = [
        HourRow(hour, code, 1_240, 20.0, 90.0, is_surge=True) for code in ("US", "CA", "FR", "DE")
    ]
    assert plain(write_alert(rows, FRENCH)).startswith(
        "Afflux pendant l\N{RIGHT SINGLE QUOTATION MARK}heure 2016-11-08 21:00-22:00 : États-Unis,"
        " Canada, France et 1 autre\nÉtats-Unis : 1 240 sessions, 2016-11-08 21:00-22:00, 20"
    )
    assert plain(write_alert(rows * 6, FRENCH)).endswith("et 4 autres pays")
    assert plain(_incomplete(DAY, FRENCH)) == (
        "Journaux incomplets : 2016-11-09\nLes journaux de 2 des 5 sources sont arrivés (40,6 % de"
        " ce qui était attendu) : les chiffres sont provisoires. Motif : web03 : rien de cette"
        " journée, sauf de 00:00 à 00:02."
    )
    changes = [FigureChange(EIGHTH, code, 2_000, 4_999, "late files: a.log and 3 more")
               for code in ("all", "US", "CA", "FR", "DE", "GB", "MX")]  # fmt: skip
    said = plain(_restated(EIGHTH, changes, FRENCH))
    assert said.startswith(
        "Chiffres révisés : 2016-11-08\nSessions : tous les pays 2 000 → 4 999 (+150,0 %)"
    )
    assert said.endswith("et 1 autre. Motif : fichiers tardifs : a.log et 3 autres.")
    failure = Failure(EIGHTH, "build", "the disk is full")
    assert _failed(failure, FRENCH).title.startswith("Échec du traitement du 2016-11-08")
    assert "surveillance" in _failed(replace(failure, is_watch=True), FRENCH).title


def test_many_alerts_are_one_message_with_a_french_title() -> None:
    title, _ = write_message([Alert(f"Afflux {n}" * 9, "") for n in range(9)], FRENCH)
    assert title.endswith("; et 7 autres")
