"""The numbers that the answers of ``why`` hang on, each once; docs/how-to/why.md says them all."""

from pipeline import definitions

REACH_DAYS = definitions.LEVEL_DAYS
"""As far before a surge's first day as the detector looks."""
MOST_DAYS_BEFORE = 28
"""So many of them, the last ones, say what is usual."""
LEAST_DAYS_BEFORE = 7
LEAST_SESSIONS_BEFORE = 20
"""With fewer on the days before, nobody can say what is usual."""
MOST_ELEMENTS = 20
"""Named of a dimension."""
LEAST_OF_AN_ELEMENT = 5
"""Sessions, here and in the report: a path seen once may name a person."""
ALIKE_SESSIONS = 50.0
"""With so many sessions on days of its kind, a share is half that kind's and half all days'."""

LEAST_SURPLUS = 0.1
"""Of the excess, beyond the part that a driver would have, had everything risen alike."""
LEAST_OF_A_DRIVER = 5.0
"""Sessions beyond the expected."""
LARGEST_CHANCE = 1e-4
"""That it is no driver; there are up to a hundred elements a surge."""

LEAST_EXCESS = 20.0
"""With fewer sessions too many, nobody can say who they were."""
MOST_NOISE = 0.5
"""Of what it estimates, the standard deviation from which a spread says nothing."""
AGENT_MORE = 0.5
"""Share of the excess that one user agent has beyond its usual one: machines."""
VISITOR_SHARE = 0.2
ROBOTLIKE_SHARE = 0.3
TIMES_USUAL = 2.0
"""As much as usual, at least, for these two to be machines."""
VISITS = 2.0
VISITS_TIMES_USUAL = 1.5

NEW_AGENTS_MORE = 0.3
SPREAD_TIMES = 3.0
"""More or less than the usual spread of user agents: odd."""
ASSETS_OF_USUAL = 0.3
LEAST_ASSETS = 0.1
"""A session, for a site that has assets at all."""
MOST_ERRORS = 0.2
"""Part of hits that fail while missing assets are still odd."""
ONE_HIT_SHARE = 0.85
ONE_HIT_MORE = 0.2
NETWORK_SHARE = 0.8
NETWORK_MORE = 0.5
ONE_PLACE_SHARE = 0.8
AS_USUAL_TIMES = 2.0
"""Up to so many times more or less, a figure is as usual."""
