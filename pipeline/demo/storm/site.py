"""The simulated site: its pages, assets and forms, what scanners try, and who links to it.

The site is made up (``cic.example``) and the same for every seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.demo.storm.assumed import FLOOD_PAGE, read_drivers

Ints = npt.NDArray[np.int64]

HOST: Final = "http://www.cic.example"
TABLE_SIZE: Final = 65_536
SECTIONS: Final = {
    "english": ("immigrate", "visit", "study", "work", "citizenship", "refugees", "newcomers",
                "information", "department", "resources", "passport", "helpcentre"),
    "francais": ("immigrer", "visiter", "etudier", "travailler", "citoyennete", "refugies",
                 "nouveaux", "information", "ministere", "ressources", "passeport", "centre-aide"),
}  # fmt: skip
TOPICS: Final = ("skilled", "express", "sponsor", "business", "provincial", "caregivers",
                 "trades", "quebec", "family", "permits", "extend", "medical", "biometrics",
                 "rights", "fees")  # fmt: skip
LEAVES: Final = ("index.asp", "apply.asp", "apply-how.asp", "apply-who.asp", "eligibility.asp",
                 "documents.asp", "processing-times.asp", "apply-after.asp")  # fmt: skip
SCANS: Final = (
    "/wp-login.php", "/xmlrpc.php", "/administrator/index.php", "/phpmyadmin/scripts/setup.php",
    "/pma/index.php", "/mysql/admin/index.php", "/.git/config", "/.env", "/admin/login.asp",
    "/cgi-bin/test-cgi", "/cgi-bin/php?-d+allow_url_include%3don", "/manager/html", "/shell.php",
    "/wp-content/plugins/revslider/readme.txt", "/solr/admin/info/system", "/HNAP1/",
    "/backup.zip", "/../../etc/passwd", "/index.php?option=com_jce&task=plugin", "/muieblackcat",
)  # fmt: skip
TLS: Final = r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"
SEARCHES: Final = ("https://www.google.com/", "https://www.google.ca/", "-", "-", "-",
                   "https://www.google.co.in/", "https://www.google.co.uk/",
                   "https://duckduckgo.com/", "http://m.facebook.com", "https://t.co/Zk3nq0bKxW",
                   "https://www.reddit.com/", "http://news.example/2016/11/08/canada-site-down",
                   "android-app://com.google.android.googlequicksearchbox")  # fmt: skip
WORDS: Final = ("canada", "immigration", "move", "to", "visa", "how", "citizenship", "work",
                "permit", "express", "entry", "points", "calculator", "apply", "from",
                "usa")  # fmt: skip


@dataclass(frozen=True)
class Site:
    """Requests and referrers by id; tables hold ids by popularity, to be drawn from at random.

    ``sizes`` are usual bytes of a request's answer, ``pages`` the page a request shows. ``entries``
    and ``clicks`` are requests of a session's first and later hits, ``lookups`` those with a query
    of their own, ``forms`` POSTs. Referrer 0 is ``-``, page ``p`` is ``first_page_referrer + p``.
    """

    requests: tuple[str, ...]
    sizes: Ints
    pages: Ints
    entries: Ints
    clicks: Ints
    lookups: range
    forms: range
    assets: range
    scans: range
    robots_txt: int
    tls: int
    referrers: tuple[str, ...]
    first_page_referrer: int
    driver_pages: dict[str, int]
    """Requests by the path of a page that drives the storm, or the flood."""
    driver_referrers: dict[str, int]


def make_site() -> Site:
    """Make the site: about 3,000 pages, 400 assets, 60,000 different queries."""
    rng = np.random.default_rng(2016)
    paths = _write_paths()
    lookups, lookup_pages = _write_lookups(60_000, paths, rng)
    forms = [f"POST {path}/login.asp HTTP/1.1" for path in ("/e-cas", "/mycic", "/cat-vac/e")]
    assets = [f"GET {path} HTTP/1.1" for path in _write_assets()]
    scans = [f"GET {path} HTTP/1.1" for path in SCANS]
    pages = [f"GET {path} HTTP/1.1" for path in paths]
    blocks = (pages, lookups, forms, assets, scans, ["GET /robots.txt HTTP/1.1"], [TLS])
    bounds = np.cumsum([0, *map(len, blocks)]).tolist()
    ranges = [range(first, last) for first, last in pairwise(bounds)]
    shown = np.zeros(bounds[-1], np.int64)
    shown[: len(pages)] = np.arange(len(pages))
    shown[ranges[1].start : ranges[1].stop] = lookup_pages
    sizes = np.exp(rng.normal(9.3, 0.8, bounds[-1])).astype(np.int64) + 300
    before = [*SEARCHES, *_write_searches(4000, rng)]
    drivers = read_drivers()
    referrers = ["-", *before, *(HOST + path for path in paths)]
    sites = [one.element for one in drivers if one.kind == "referrer"]
    referrers += [site for site in sites if site not in referrers]
    return Site(
        requests=tuple(text for block in blocks for text in block),
        sizes=sizes,
        pages=shown,
        entries=_popular(len(pages), 1.25),
        clicks=_popular(len(pages), 0.95),
        lookups=ranges[1],
        forms=ranges[2],
        assets=ranges[3],
        scans=ranges[4],
        robots_txt=ranges[5].start,
        tls=ranges[6].start,
        referrers=tuple(referrers),
        first_page_referrer=1 + len(before),
        driver_pages={
            path: paths.index(path)
            for path in (FLOOD_PAGE, *(one.element for one in drivers if one.kind == "page"))
        },
        driver_referrers={site: referrers.index(site) for site in sites},
    )


def _write_paths() -> list[str]:
    paths = ["/", "/english/index.asp", "/francais/index.asp", "/english/index-can.asp"]
    paths += [
        f"/{language}/{section}/{topic}/{leaf}"
        for leaf in LEAVES
        for topic in TOPICS
        for language, sections in SECTIONS.items()
        for section in sections
    ]
    return paths


def _write_lookups(
    count: int, paths: Sequence[str], rng: np.random.Generator
) -> tuple[list[str], Ints]:
    """Requests whose query differs from one to the next: answers, searches, campaign marks."""
    pages = rng.integers(0, len(paths), count)
    numbers = rng.integers(0, 1 << 48, (count, 2)).tolist()
    texts = []
    for page, (number, other) in zip(pages.tolist(), numbers, strict=True):
        match number % 4:
            case 0:
                path = f"/english/helpcentre/answer.asp?qnum={number % 1500}&top={other % 32}"
            case 1:
                words = "+".join(WORDS[(number >> shift) % 16] for shift in (2, 6, 10))
                path = f"/english/search/results.asp?q={words}&start={other % 9 * 10}"
            case 2:
                path = f"{paths[page]}?_ga=1.{number % 10**9}.{1_478_000_000 + other % 10**6}"
            case _:
                path = f"{paths[page]}?utm_source=share&cid={other:012x}"
        texts.append(f"GET {path} HTTP/1.1")
    return texts, pages


def _write_assets() -> list[str]:
    assets = ["/favicon.ico", "/wet/css/theme.min.css", "/wet/js/wet-boew.min.js",
              "/wet/js/jquery.min.js?v=2.1.4", "/wet/assets/sig-blk-en.svg"]  # fmt: skip
    assets += [f"/wet/assets/wmms-{number}.svg" for number in range(4)]
    assets += [f"/images/home/slide-{number}.jpg" for number in range(60)]
    assets += [f"/images/{number % 12:02}/figure-{number * 37 % 997}.png" for number in range(300)]
    assets += [f"/wet/js/i18n/{code}.min.js" for code in ("en", "fr", "es", "zh", "ar", "hi")]
    return assets + [f"/fonts/glyphs-{number}.woff2" for number in range(6)]


def _write_searches(count: int, rng: np.random.Generator) -> list[str]:
    numbers = rng.integers(0, 1 << 62, count).tolist()
    return [
        "http://www.bing.com/search?q="
        + "+".join(WORDS[(number >> shift) % 16] for shift in (0, 4, 8))
        + f"&form=EDGEAR&cvid={number:016x}"
        if number % 2
        else f"https://search.yahoo.com/search;_ylt={number:x}?p=canada+{WORDS[number % 15]}"
        for number in numbers
    ]


def _popular(count: int, steepness: float) -> Ints:
    """Ids from 0, each at least once, in about 65,536 places by popularity (a power law)."""
    weights = 1 / (np.arange(count) + 2) ** steepness
    places = np.maximum(1, np.round(TABLE_SIZE * weights / weights.sum())).astype(np.int64)
    return np.repeat(np.arange(count), places)
