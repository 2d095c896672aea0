"""The notations in which rotation and delivery write into a raw file's name, as tables.

Times (dates, months, weeks, epochs, clocks), endings, shapes of services, and what looks like a
unique id. ``naming`` says what becomes of a name with them.
"""

import re
from dataclasses import dataclass

CUT = "\0"
"""Stands for what was taken out of a name, until what is beside it has been judged by it."""
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?[-_., ]+)?"
_CLOCK = r"(?:[01]\d|2[0-4]):[0-5]\d(?::[0-6]\d)?"
_WEEK = r"(?:w|kw|week)[-_.]?\d\d?"
_IIS = "|".join(rf"(?<=^{name})" for name in ("u_ex", "u_nc", "u_in", "ex", "nc", "in", "ncsa"))
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_FROM, _TO = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"


def _any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


HELD = _any_case(
    rf"{_FROM}(?<!\d\.)(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\d|[A-Za-z])"
    rf"|{_FROM}(?:ip|ec2)(?:-\d{{1,3}}){{4}}(?!\d)"
    rf"|{_FROM}i-[0-9a-f]{{8,17}}{_TO}"
    r"|^\d{12}(?=_(?:elasticloadbalancing|vpcflowlogs|waflogs|cloudtrail))"
)
"""Numbers that name: IPv4 addresses, EC2's host names and instances, AWS accounts."""

SHAPES = [
    _any_case(pattern)
    for pattern in (
        # CloudFront: distribution.date-hour.id; S3: date-time-id behind any prefix.
        rf"\.{_YEAR}(?:-\d\d){{3}}\.[0-9a-z]+(?=\.|$)",
        rf"{_YEAR}(?:-\d\d){{5}}-[0-9a-f]{{16}}(?=\.|$)",
        # AWS' load balancers: the time, the balancer's address by then, an id.
        r"_\d{8}T\d{4}Z(?:_[0-9.]+)?_[0-9a-z]+(?=\.|$)",
        # Google's storage, and its exports.
        rf"(?<=_usage)_{_YEAR}(?:_\d\d){{5}}_[0-9a-f]+_v\d+(?=\.|$)",
        rf"{_CLOCK}_{_CLOCK}_[SA]\d+(?::\d+)?(?=\.|$)",
        # Kubernetes: name-replicaset-pod_namespace_container-id; Docker: id-json.
        r"-[0-9bcdf-hj-np-tv-z]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}(?=_)",
        r"^[0-9a-f]{64}-json(?=\.)",
        # IIS: by hour, day, week or month, with _x when it has fields of one's own; by size.
        rf"(?:{_IIS})(?:\d\d){{2,4}}(?:_x)?(?=[._-]|$)",
        r"(?<=extend)\d+(?=\.|$)",
        # Azure: PT1H in a folder of each hour; multilog: the live file, and TAI64N.
        r"^PT\d+[HM](?=\.json)",
        r"^current$",
        r"^@[0-9a-f]{24}(?:\.[su])?$",
    )
]
"""What a service writes as a whole, where its parts alone would be unclear."""


@dataclass(frozen=True)
class Notation:
    """One way to write a time into a name."""

    pattern: re.Pattern[str]
    is_sure: bool = True
    """Whether nothing that names a server is written like it."""

    def cut(self, text: str) -> str:
        """Take every such time out."""
        return self.pattern.sub(lambda found: CUT if _may_be_a_time(found[0]) else found[0], text)


def _sure(pattern: str) -> Notation:
    return Notation(_any_case(pattern))


def _unsure(pattern: str) -> Notation:
    return Notation(_any_case(pattern), is_sure=False)


TIMES = [
    # 2016-11-08, 20161108, 20161108130500, 2016.1.8
    _sure(rf"(?<!\d){_WEEKDAY}{_YEAR}([-_.]?){_MONTH}\1{_DAY}(?!\d)"),
    _sure(rf"(?<!\d){_YEAR}{_MONTH}{_DAY}[0-2]\d(?:[0-5]\d(?:[0-6]\d(?:\d{{3}})?)?)?(?!\d)"),
    _sure(rf"(?<!\d){_YEAR}([-_.])\d\d?\1\d\d?(?!\d)"),
    # 08-11-2016, 11/08/2016 as it can stand in a name, 08112016
    _sure(rf"(?<!\d)\d\d?([-_.])\d\d?\1{_YEAR}(?!\d)"),
    _sure(rf"{_FROM}(?:{_DAY}{_MONTH}|{_MONTH}{_DAY}){_YEAR}(?!\d)"),
    # 08-Nov-2016, 2016Nov08, Nov-8-2016, Sep-2019, Sep19
    _sure(rf"{_FROM}{_WEEKDAY}\d\d?[-_. ]?{_NAME}(?:[-_., ]*(?:{_YEAR}|\d\d))?{_TO}"),
    _sure(rf"(?<!\d){_YEAR}[-_. ]?{_NAME}(?:[-_. ]?\d\d?)?{_TO}"),
    _sure(rf"{_FROM}{_WEEKDAY}{_NAME}[-_. ]?\d\d?[-_., ]+{_YEAR}{_TO}"),
    _sure(rf"{_FROM}{_NAME}[-_. ]?{_YEAR}{_TO}"),
    _unsure(rf"{_FROM}{_NAME}[-_. ]?\d\d?{_TO}"),
    # 2016-W45, week45-2016, 2016-Q4, 2016-313, 2016-11, 11-2016, 201611
    _sure(rf"(?<!\d){_YEAR}[-_.]?{_WEEK}(?:-?[1-7])?{_TO}"),
    _sure(rf"{_FROM}{_WEEK}[-_.]?{_YEAR}{_TO}"),
    _sure(rf"(?<!\d){_YEAR}[-_.]?q[1-4]{_TO}"),
    _sure(rf"{_FROM}{_YEAR}[-_.]?(?:[0-2]\d\d|3[0-6]\d){_TO}"),
    _sure(rf"{_FROM}(?:{_YEAR}[-_.]{_MONTH}|{_MONTH}[-_.]{_YEAR}){_TO}"),
    _unsure(rf"{_FROM}{_YEAR}{_MONTH}{_TO}"),
    # 1478588400 and in parts of a second; 09-16-21, 161108, 161108130500
    _sure(rf"{_FROM}1\d{{9}}(?:\d{{3}}){{0,3}}{_TO}"),
    _sure(rf"{_FROM}\d\d([-_.])\d\d\1\d\d{_TO}"),
    _unsure(rf"{_FROM}\d{{6}}(?:\d\d){{0,3}}{_TO}"),
    # 13:05:00-14:00:00; a folder y=2016; a year alone
    _sure(rf"{_FROM}{_CLOCK}(?:-{_CLOCK})?{_TO}"),
    _sure(r"^(?:y|m|d|h|year|month|day|hour|dt|date)=[-\d]+$"),
    _unsure(rf"{_FROM}(?:199\d|20[0-4]\d){_TO}"),
]
"""In this order: a longer notation before what it holds."""


def _may_be_a_time(text: str) -> bool:
    """Whether a time in numbers of two digits is one; other notations are told by their shape."""
    if re.fullmatch(r"\d\d([-_.])\d\d\1\d\d", text):
        a, b, c = (int(part) for part in re.findall(r"\d\d", text))
        return any(0 < month <= 12 and 0 < day <= 31 for month, day in ((b, c), (b, a), (a, b)))
    if re.fullmatch(r"\d{6}|\d{8}|\d{10}|\d{12}", text) and not re.match(r"19|20|1\d{9}$", text):
        _, month, day, *clock = (int(part) for part in re.findall(r"\d\d", text))
        within = all(part <= most for part, most in zip(clock, (24, 59, 60), strict=False))
        return 0 < month <= 12 and 0 < day <= 31 and within
    return True


BESIDE_A_TIME = _any_case(
    rf"(?<={CUT})(?:[-_.:@, ]?T?\d+[hms]?(?=[-_.:@+Z {CUT}]|$)|[+-]\d\d:?\d\d{_TO}|Z{_TO}"
    rf"|[-_.][a-z]{_TO}|[-_.]part[-_.]?\d+{_TO}|[-_.+~:, ]+(?={CUT}))"
)
"""Clocks, zones, parts and counters behind a time, and what joins two times."""

_ENDINGS = (
    r"gz|bz2|xz|zst|zstd|lz4|lzma|z|br|zip|tar|tgz|tbz2?|txz|logs?|txt|json|jsonl|ndjson|csv|tsv"
    r"|w3c|clf|old|bak|backup|orig|save|tmp|temp|part|partial|filepart|crdownload|download|copy"
    r"|processed|webstat|current|done"
)
ENDING = _any_case(rf"(?:\.(?:{_ENDINGS})|[-_]logs?|~|[-_ ]*\(\d+\)|[-_ ]+\(?copy\)?)$")
BEHIND_AN_ENDING = _any_case(rf"(?P<ending>\.(?:{_ENDINGS})(?=[-_.])|[-._]log)[-_.]?\d+$")
PACKED = _any_case(r"\.(?:gz|bz2|xz|zst|zstd|lz4|lzma|z|br|part)$|~$")
LAST_NUMBER = _any_case(r"\.\d{1,4}$")
"""A counter where the name has no ending before it: ``access.1.gz``."""

SURE_IDS = [
    _any_case(rf"{_FROM}[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}{_TO}"),
    _any_case(rf"{_FROM}(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{{32,}}{_TO}"),
]
WORD = _any_case(rf"{_FROM}[0-9a-z]{{6,}}{_TO}")


def is_random(word: str, *, is_behind_a_time: bool = False) -> bool:
    """Whether letters and digits of a name are mixed as nobody writes a name."""
    changes = len(re.findall(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)", word))
    is_hex = bool(re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", word))
    if is_behind_a_time and len(re.findall(r"(?<=[a-z])(?=[A-Z])", word)) > 2:
        return True
    if is_hex:
        least, length = (1, 6) if is_behind_a_time else (2, 8)
    else:
        is_like_a_word = re.match("[A-Za-z]{3}", word)
        least = 2 if is_behind_a_time and not is_like_a_word else 4
        length = 8 if is_behind_a_time else 16
    return changes >= least and len(word) >= length
