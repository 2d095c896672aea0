"""What a hit is (robot's, asset, page), whose it is, and to which local day it belongs."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

import crawleruseragents
from crawlerdetect import CrawlerDetect

from .databases import Databases, canonical_client
from .lines import Hit

ASSET_ENDINGS = (
    ".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp",
    ".avif", ".bmp", ".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".webm",
    ".ogg", ".m4a", ".m4v",
)  # fmt: skip
KNOWN_LENGTH = 500
ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_DETECT = CrawlerDetect()


@dataclass(frozen=True, slots=True)
class Visit:
    """A hit with its day, its visitor and what it counts as; `visitor` is what is hashed."""

    hit: Hit
    day: date
    visitor: str
    country: str
    subdivision: str | None
    is_robot: bool
    is_asset: bool
    is_page: bool
    source: str
    network: tuple[int | None, str | None]

    @property
    def is_in_session(self) -> bool:
        """Whether the hit can be part of a session."""
        return not self.is_robot and not self.is_asset


def visit_of(hit: Hit, zone: ZoneInfo, databases: Databases, source: str) -> Visit:
    """Return the hit with everything that the definitions derive from it alone."""
    day = datetime.fromtimestamp(hit.ts, zone).date()
    canonical = canonical_client_of(hit.client)
    country, subdivision = databases.locate(canonical, day)
    robot, asset = is_robot(hit.user_agent), is_asset(hit.path)
    page = not robot and not asset and hit.method == "GET" and is_shown(hit.status)
    visitor = f"{canonical}\0{hit.user_agent or ''}"
    network = databases.network(canonical, day)
    return Visit(hit, day, visitor, country, subdivision, robot, asset, page, source, network)


canonical_client_of = cache(canonical_client)


def is_shown(status: int) -> bool:
    """Whether the answer gave the visitor something to see: 2xx or 304."""
    return 200 <= status <= 299 or status == 304


@cache
def is_robot(user_agent: str | None) -> bool:
    """Whether the agent is empty, `-` or on one of the two lists; a missing one is no robot."""
    if user_agent is None:
        return False
    if user_agent in {"", "-"} or is_servers_own(user_agent):
        return True
    known = user_agent[:KNOWN_LENGTH]
    return bool(_DETECT.is_crawler(known)) or crawleruseragents.is_crawler(known)


def is_servers_own(user_agent: str) -> bool:
    """Whether Apache, IIS or Azure asked itself."""
    known = user_agent[:KNOWN_LENGTH]
    warming = ("IIS Application Initialization Preload", "IIS Application Initialization Warmup")
    is_iis = known.startswith(warming) or known == "AlwaysOn"
    return "(internal dummy connection)" in known or is_iis


@cache
def is_asset(path: str | None) -> bool:
    """Whether the path, in ASCII lower case, ends like a file that only decorates a page."""
    if path is None:
        return False
    lower = path.translate(ASCII_LOWER)
    return lower == "/robots.txt" or lower.endswith(ASSET_ENDINGS)
