"""The definitions' version and the constants that SQL and Python share.

In words they are docs/definitions.md. A change of what is counted raises ``DEFINITIONS_VERSION``:
every derived partition carries it in its fingerprint and becomes stale.
"""

DEFINITIONS_VERSION = 3

MAX_LINE_BYTES = 16 * 1024 * 1024
KEPT_OF_LONG_LINE = 4096
ROBOT_PREFIX_CHARS = 500
NO_COUNTRY = "ZZ"
NO_NETWORKS = "none"
"""What a raw file's record has for the databases of networks where there was none."""
ALL = "all"
"""The country code of a day's total; leave it out of sums over countries."""
LEVEL_DAYS = 56
"""Days before a day that it is judged by, and that its usual shares are taken from, at most."""
LEAST_HISTORY_DAYS = 7
"""Days with logs before a day, at least, for it to be judged."""
HINDSIGHT_DAYS = 21
"""After a surge's last day, for its size to be told anew: of fewer the level is less well known."""
CENSORED_SHARE = 0.05
"""From this share of 5xx answers on, so many were turned away that counts are a lower bound."""
UNREAD_SHARE = 0.05
"""From this share of lines that could not be read on, nobody may call a day whole."""
ROBOTLIKE = {
    "least_pages": 10, "most_pages": 800, "most_pages_a_minute": 30, "many_pages": 100,
    "many_pages_a_path": 5, "shortest_agent": 25, "longest_agent": 400,
}  # fmt: skip
"""When a visitor's day looks like a robot's."""

ASSET_SUFFIXES = (
    *(".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp"),
    *(".avif", ".bmp", ".woff", ".woff2", ".ttf", ".otf", ".eot"),
    *(".mp3", ".mp4", ".webm", ".ogg", ".m4a", ".m4v"),
)
ASSET_PATH = "/robots.txt"
DEMO_MARK = ".tidegauge-demo"
"""A file that the demo puts where it makes a lake: what the lake holds is simulated."""
SMALL_BYTES = 64 * 1024 * 1024
"""Content up to here is never taken for a decompression bomb."""
MAX_CONTENT_RATIO = 300
"""Logs compress 5 to 35 times as gz, up to 250 times in a flood of one line, zeros 1,030 times."""
MAX_LINES = 200_000_000
MEMORY_LIMIT_MB = 1200
HITS_PER_MB = 4_000
"""Of a day that a process builds in so much memory."""
ASKED = ("geo", "robots", "definitions", "settings")
"""The kinds of causes of a stale day that a build takes only when asked to."""
MOST_TIMEOUT_MINUTES = 24 * 60
LEAST_KEY_LENGTH = 16
"""Of the visitor key: characters as a setting, bytes in a file."""
