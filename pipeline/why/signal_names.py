"""The figures that speak for people or for machines, by name, in their order."""

SESSIONS_A_VISITOR = "sessions a visitor"
BUSIEST_VISITOR = "busiest visitor's share"
COMMONEST_NETWORK = "one network's share"
COMMONEST_AGENT = "one user agent's share"
NEW_AGENTS = "share of new user agents"
AGENTS_SPREAD = "spread of user agents"
ASSETS = "assets a session"
PAGES = "pages a session"
ONE_HIT = "share of one-hit sessions"
ROBOTLIKE = "robot-like share"
NIGHT = "night share"
ERRORS = "5xx share of hits"
SHARES = (
    BUSIEST_VISITOR, COMMONEST_NETWORK, COMMONEST_AGENT, NEW_AGENTS, ONE_HIT, ROBOTLIKE, NIGHT,
    ERRORS,
)  # fmt: skip
FIGURES = (
    SESSIONS_A_VISITOR, BUSIEST_VISITOR, COMMONEST_NETWORK, COMMONEST_AGENT, NEW_AGENTS,
    AGENTS_SPREAD, ASSETS, PAGES, ONE_HIT, ROBOTLIKE, NIGHT, ERRORS,
)  # fmt: skip
