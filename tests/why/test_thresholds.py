"""The numbers that ``why`` goes by are those that its page tells of."""

from pathlib import Path

from pipeline.why import thresholds as at

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "why.md"
TOLD = {
    ("MOST_DAYS_BEFORE", "REACH_DAYS"): "up to {0} of the {1} days before",
    ("ALIKE_SESSIONS",): "few sessions ({0:g} count half)",
    ("MOST_ELEMENTS",): "Up to {0} elements of a dimension are named",
    ("LEAST_OF_AN_ELEMENT",): "any with fewer than {0} sessions, are one",
    ("LEAST_SURPLUS", "LEAST_OF_A_DRIVER"): "has {0:.0%} of the excess beyond that, at least {1:g}",
    ("LARGEST_CHANCE",): "a chance of at most 1 in 10,000",
    ("LEAST_DAYS_BEFORE", "LEAST_SESSIONS_BEFORE"): "of fewer than {0}, or than {1} sessions",
    ("AGENT_MORE",): "one user agent has {0:.0%} points",
    ("VISITOR_SHARE", "TIMES_USUAL"): "visitor made {0:.0%} of it, at least {1:g} times as much",
    ("VISITS", "VISITS_TIMES_USUAL"): "came {0:g} times a day, at least {1:g} times as often as us",
    ("ROBOTLIKE_SHARE", "TIMES_USUAL"): "{0:.0%} of it, at least {1:g} times as much as usual, are",
    ("NEW_AGENTS_MORE", "SPREAD_TIMES"): (
        "{0:.0%} points more than usual have a user agent that was never seen before, or agents are"
        " mixed {1:g} times more or less than usual"
    ),
    ("ASSETS_OF_USUAL", "LEAST_ASSETS", "MOST_ERRORS"): (
        "less than {0:.0%} of the usual assets, where these are at least {1} a session and the site"
        " answers (fewer than {2:.0%} of hits failed)"
    ),
    ("ONE_HIT_SHARE", "ONE_HIT_MORE"): "{0:.0%} of its sessions, and {1:.0%} points more than us",
    ("NETWORK_SHARE", "NETWORK_MORE"): "one network made {0:.0%} of it, and {1:.0%} points more",
    ("ONE_PLACE_SHARE",): "{0:.0%} of it came from one subdivision, and from no site",
    ("AS_USUAL_TIMES",): "no more than {0:g} times more or less",
    ("LEAST_EXCESS", "MOST_NOISE"): (
        "as of fewer than {0:g} sessions too many, or where a spread's error is over {1:.0%} of it"
    ),
}  # fmt: skip


def test_the_page_tells_of_every_threshold_as_it_is() -> None:
    page = " ".join(PAGE.read_text().split())
    for names, sentence in TOLD.items():
        told = sentence.format(*(getattr(at, name) for name in names)).replace(
            "% points", " points"
        )
        told = told.replace("%", " %").replace("  %", " %")
        assert told in page, told
    assert at.LARGEST_CHANCE == 1 / 10_000
    assert {name for names in TOLD for name in names} == {n for n in vars(at) if n.isupper()}
