"""User agents of autumn 2016, made up of real products' version numbers; the robots' are theirs.

To the lists that the pipeline uses no browser here is a robot and every robot is one (tested).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

WINDOWS: Final = (
    "Windows NT 10.0; Win64; x64", "Windows NT 10.0; WOW64", "Windows NT 10.0",
    "Windows NT 6.3; Win64; x64", "Windows NT 6.3; WOW64", "Windows NT 6.2; WOW64",
    "Windows NT 6.1; Win64; x64", "Windows NT 6.1; WOW64", "Windows NT 6.1", "Windows NT 6.0",
    "Windows NT 5.1",
)  # fmt: skip
MACS: Final = ("10_12_1", "10_12", "10_11_6", "10_11_5", "10_11_4", "10_10_5", "10_9_5", "10_8_5")
CHROMES: Final = (
    "54.0.2840.99", "54.0.2840.87", "54.0.2840.71", "54.0.2840.59", "53.0.2785.143",
    "53.0.2785.116", "53.0.2785.101", "52.0.2743.116", "51.0.2704.103", "51.0.2704.84",
    "50.0.2661.102", "49.0.2623.112", "49.0.2623.110", "48.0.2564.116", "47.0.2526.111",
    "46.0.2490.86", "45.0.2454.101", "43.0.2357.134", "41.0.2272.118", "38.0.2125.111",
)  # fmt: skip
MOBILE_CHROMES: Final = (
    "54.0.2840.85", "54.0.2840.68", "53.0.2785.124", "53.0.2785.97", "52.0.2743.98",
    "51.0.2704.81", "50.0.2661.89", "49.0.2623.105", "48.0.2564.106", "47.0.2526.83",
    "46.0.2490.76", "45.0.2454.94", "44.0.2403.133", "43.0.2357.93", "42.0.2311.111",
)  # fmt: skip
FIREFOXES: Final = ("49.0", "50.0", "48.0", "47.0", "45.0", "46.0", "44.0", "43.0", "42.0", "41.0",
                    "40.0", "38.0", "37.0", "36.0", "34.0", "31.0", "28.0", "24.0")  # fmt: skip
SAFARIS: Final = ("602.2.14 (KHTML, like Gecko) Version/10.0.1 Safari/602.2.14",
                  "602.1.50 (KHTML, like Gecko) Version/10.0 Safari/602.1.50",
                  "601.7.8 (KHTML, like Gecko) Version/9.1.3 Safari/601.7.8",
                  "601.7.7 (KHTML, like Gecko) Version/9.1.2 Safari/601.7.7",
                  "601.6.17 (KHTML, like Gecko) Version/9.1.1 Safari/601.6.17",
                  "600.8.9 (KHTML, like Gecko) Version/8.0.8 Safari/600.8.9",
                  "537.78.2 (KHTML, like Gecko) Version/7.0.6 Safari/537.78.2")  # fmt: skip
IOS: Final = (
    ("10_1_1", "602.2.14", "10.0", "14B100"), ("10_1_1", "602.2.14", "10.0", "14B150"),
    ("10_1", "602.2.14", "10.0", "14B72"), ("10_0_2", "602.1.50", "10.0", "14A456"),
    ("10_0_1", "602.1.50", "10.0", "14A403"), ("9_3_5", "601.1.46", "9.0", "13G36"),
    ("9_3_4", "601.1.46", "9.0", "13G35"), ("9_3_3", "601.1.46", "9.0", "13G34"),
    ("9_3_2", "601.1.46", "9.0", "13F69"), ("9_3_1", "601.1.46", "9.0", "13E238"),
    ("9_2_1", "601.1.46", "9.0", "13D15"), ("9_2", "601.1.46", "9.0", "13C75"),
    ("9_1", "601.1.46", "9.0", "13B143"), ("9_0_2", "601.1.46", "9.0", "13A452"),
    ("8_4_1", "600.1.4", "8.0", "12H321"), ("8_3", "600.1.4", "8.0", "12F70"),
    ("8_1_2", "600.1.4", "8.0", "12B440"), ("7_1_2", "537.51.2", "7.0", "11D257"),
)  # fmt: skip
DOTNETS: Final = (
    "", " .NET4.0C; .NET4.0E;", " .NET CLR 2.0.50727; .NET CLR 3.5.30729;",
    " SLCC2; .NET CLR 2.0.50727; .NET CLR 3.5.30729; .NET CLR 3.0.30729; Media Center PC 6.0;",
    " SLCC2; .NET CLR 2.0.50727; .NET CLR 3.5.30729; .NET CLR 3.0.30729; .NET4.0C; .NET4.0E;",
    " GTB7.5; .NET4.0C;", " InfoPath.3; .NET4.0C; .NET4.0E;", " MDDRJS;", " Touch;", " MALNJS;",
)  # fmt: skip
ROBOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "Mozilla/5.0 (compatible; AhrefsBot/5.1; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; MJ12bot/v1.4.5; http://www.majestic12.co.uk/bot.php?+)",
    "Mozilla/5.0 (compatible; SemrushBot/1~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; DotBot/1.1; http://www.opensiteexplorer.org/dotbot, help@moz.com)",
    "Mozilla/5.0 (compatible; Exabot/3.0; +http://www.exabot.com/go/robot)",
    "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Twitterbot/1.0",
    "ia_archiver (+http://www.alexa.com/site/help/webmasters; crawler@alexa.com)",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 8_3 like Mac OS X) AppleWebKit/600.1.4 (KHTML, like"
        " Gecko) Version/8.0 Mobile/12F70 Safari/600.1.4 (compatible; Googlebot/2.1;"
        " +http://www.google.com/bot.html)"
    ),
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "curl/7.47.0", "Wget/1.17.1 (linux-gnu)", "python-requests/2.11.1", "Java/1.8.0_111",
    "Apache-HttpClient/4.5.2 (Java/1.8.0_101)", "Go-http-client/1.1", "libwww-perl/6.15",
    "masscan/1.0 (https://github.com/robertdavidgraham/masscan)",
    "Mozilla/5.0 zgrab/0.x", "sqlmap/1.0.11.20#dev (http://sqlmap.org)",
)  # fmt: skip
EMPTY: Final = ("-", "")
# What is left of a user agent when a line was cut off inside it: its quote never closes.
CUT: Final = ("Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWeb", "Mozilla/5.0 (iPhone; CPU iPh",
              "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:49.0) Geck")  # fmt: skip


@dataclass(frozen=True)
class Agents:
    """Ends of lines from the referrer's closing quote on; ids are positions in ``line_ends``.

    Browsers come first (``popular`` holds their ids by popularity, 65,536 draws), then ``cut`` ids
    (cut off in the agent, or before it), then ``robots`` and ``empty``.
    """

    browsers: tuple[str, ...]
    line_ends: tuple[str, ...]
    popular: npt.NDArray[np.int64]
    cut: range
    robots: range
    empty: range


def make_agents() -> Agents:
    """Make all user agents: over 5,000 browsers, each popular enough to be seen at scale 1."""
    browsers: dict[str, float] = {}
    for family, share in _FAMILIES:
        members = list(dict.fromkeys(family()))
        ranks = 1 / (np.arange(len(members)) + 3) ** 1.05
        for name, weight in zip(members, share * ranks / ranks.sum(), strict=True):
            browsers[name] = browsers.get(name, 0) + float(weight)
    quoted = [f'" "{name}"\n' for name in browsers]
    cut = ["\n", *(f'" "{name}\n' for name in CUT)]
    marked = [f'" "{name}"\n' for name in (*ROBOTS, *EMPTY)]
    first = len(browsers)
    bounds = np.cumsum([first, len(cut), len(ROBOTS), len(EMPTY)]).tolist()
    return Agents(
        browsers=tuple(browsers),
        line_ends=(*quoted, *cut, *marked),
        popular=_fill_table(np.array(list(browsers.values()))),
        cut=range(bounds[0], bounds[1]),
        robots=range(bounds[1], bounds[2]),
        empty=range(bounds[2], bounds[3]),
    )


def _fill_table(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Repeat each id by its weight, at least twice, in about 65,536 places."""
    places = np.maximum(2, np.round(65_536 * weights / weights.sum())).astype(np.int64)
    return np.repeat(np.arange(len(weights)), places)


@cache
def _read_devices() -> list[tuple[str, str, str]]:
    """Device, Android version and build; Samsung's come first."""
    with files(__package__).joinpath("devices.csv").open(encoding="utf-8") as file:
        return [(row["device"], row["android"], row["build"]) for row in csv.DictReader(file)]


def _windows_chrome() -> Iterator[str]:
    for chrome in CHROMES:
        for system in WINDOWS:
            yield (
                f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko)"
                f" Chrome/{chrome} Safari/537.36"
            )


def _desktop_chrome() -> Iterator[str]:
    systems = [f"Macintosh; Intel Mac OS X {mac}" for mac in MACS]
    systems += ["X11; Linux x86_64", "X11; CrOS x86_64 8743.76.0", "X11; Fedora; Linux x86_64"]
    for chrome in CHROMES:
        for system in systems:
            yield (
                f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko)"
                f" Chrome/{chrome} Safari/537.36"
            )


def _firefox() -> Iterator[str]:
    systems = [*WINDOWS, "X11; Ubuntu; Linux x86_64", "X11; Linux x86_64"]
    systems += [f"Macintosh; Intel Mac OS X {mac}" for mac in ("10.12", "10.11", "10.10", "10.9")]
    for version in FIREFOXES:
        for system in systems:
            yield f"Mozilla/5.0 ({system}; rv:{version}) Gecko/20100101 Firefox/{version}"


def _explorer() -> Iterator[str]:
    for system in WINDOWS[3:9]:
        for extra in DOTNETS:
            yield f"Mozilla/5.0 ({system};{extra} Trident/7.0; rv:11.0) like Gecko"
            for version, trident in (("10.0", "6.0"), ("9.0", "5.0"), ("8.0", "4.0")):
                end = f"Trident/{trident};{extra[:-1]}"
                yield f"Mozilla/5.0 (compatible; MSIE {version}; {system}; {end})"


def _edge() -> Iterator[str]:
    for chrome, edge in (("51.0.2704.79", "14.14393"), ("46.0.2486.0", "13.10586"),
                         ("42.0.2311.135", "12.10240"), ("52.0.2743.116", "15.14946")):  # fmt: skip
        for system in WINDOWS[:3]:
            yield (
                f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko)"
                f" Chrome/{chrome} Safari/537.36 Edge/{edge}"
            )


def _mac_safari() -> Iterator[str]:
    for safari in SAFARIS:
        for mac in MACS:
            yield f"Mozilla/5.0 (Macintosh; Intel Mac OS X {mac}) AppleWebKit/{safari}"


def _ios_safari() -> Iterator[str]:
    for system, webkit, version, build in IOS:
        for device, name in (("iPhone", "iPhone OS"), ("iPad", "OS"), ("iPod touch", "iPhone OS")):
            start = (
                f"Mozilla/5.0 ({device}; CPU {name} {system} like Mac OS X)"
                f" AppleWebKit/{webkit} (KHTML, like Gecko)"
            )
            yield f"{start} Version/{version} Mobile/{build} Safari/{webkit}"
            yield f"{start} CriOS/54.0.2840.91 Mobile/{build} Safari/{webkit}"
            yield f"{start} GSA/20.3.136880903 Mobile/{build} Safari/{webkit}"
            yield (
                f"{start} Mobile/{build} [FBAN/FBIOS;FBAV/69.0.0.48.142;FBBV/41302506;"
                f"FBDV/{device}8,1;FBSN/iOS;FBSV/{system.replace('_', '.')};FBSS/2]"
            )


def _android_chrome() -> Iterator[str]:
    for chrome in MOBILE_CHROMES:
        for device, system, build in _read_devices():
            mobile = "" if device.startswith(("SM-T", "KF", "Nexus 7")) else "Mobile "
            yield (
                f"Mozilla/5.0 (Linux; Android {system}; {device} Build/{build})"
                f" AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome} {mobile}Safari/537.36"
            )


def _android_apps() -> Iterator[str]:
    for app in ("[FB_IAB/FB4A;FBAV/100.0.0.20.70;]", "[FB_IAB/FB4A;FBAV/99.0.0.26.69;]", ""):
        for chrome in MOBILE_CHROMES[:14]:
            for device, system, build in _read_devices():
                yield (
                    f"Mozilla/5.0 (Linux; Android {system}; {device} Build/{build}; wv)"
                    " AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
                    f" Chrome/{chrome} Mobile Safari/537.36{app}"
                )


def _samsung() -> Iterator[str]:
    for version, chrome in (("4.0", "44.0.2403.133"), ("3.3", "38.0.2125.102"),
                            ("2.1", "34.0.1847.76")):  # fmt: skip
        for device, system, build in _read_devices()[:23]:
            yield (
                f"Mozilla/5.0 (Linux; Android {system}; SAMSUNG {device} Build/{build})"
                f" AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/{version}"
                f" Chrome/{chrome} Mobile Safari/537.36"
            )


_FAMILIES: Final = (
    (_windows_chrome, 0.30), (_desktop_chrome, 0.06), (_firefox, 0.10), (_explorer, 0.09),
    (_edge, 0.03), (_mac_safari, 0.06), (_ios_safari, 0.17), (_android_chrome, 0.12),
    (_android_apps, 0.05), (_samsung, 0.02),
)  # fmt: skip
