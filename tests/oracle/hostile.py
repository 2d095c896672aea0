r"""Lines that a reader may stumble over: Hypothesis strategies around good combined lines.

A line is text in which `\udcxx` stands for the byte xx; it may even hold newlines, which make
several lines of it.
"""

from hypothesis import strategies as st

WORST = (
    '"', '"', "\\", '\\"', '\\\\"', " ", "  ", "\t", "\r", "\n", "\r\n", "\v", "\f", "\0", "\x01",
    "\x1b[31m", "\x7f", "[", "]", "[]", '] "', '" "', '"-"', "-", "?", "#", "//", "://", "%", "'",
    "\u00a0", "\u2028", "\u0085", "\u3000", "\ufeff", "\u0661", "\uff11", "\u00b2", "e\u0301",
    "\u0130", "\u212a", "\U0001f30a", "\udcff", "\udce2\udc82", "\udced\udca0\udc80",
    "\udcc0\udcaf",
    ' [08/Nov/2016:00:00:00 +0000] "', " 200 5", " HTTP/1.1", "HTTP/", "GET ", "9" * 19, "\x1c",
)  # fmt: skip
CLIENTS = (
    "192.0.2.1", "192.0.2.1", "192.0.2.77", "198.51.100.1", "203.0.113.1", "203.0.113.200",
    "2001:db8::1", "2001:DB8:0:0::1", "2001:db8::192.0.2.1", "::ffff:192.0.2.1",
    "::FFFF:C000:0201", "::ffff:0:192.0.2.1", "::192.0.2.1", "::", "::1", "1::2::3",
    "fe80::1%eth0", "2001:db8::1%1", "::ffff:192.0.2.1%1",
    "192.0.2.01", "192.0.2.256", "192.0.2", "3221225985", "0xC0000201",
    "192.0.2.1:80", "[2001:db8::1]", "2001:db8::1/64", "h.example", "H.example", "-", "1",
    "\u0661.0.2.1", "12345::", "2001:db8:1:2:3:4:5:6:7", "2001:db8::0001", "2001:db8::00001",
)  # fmt: skip
USERS = ("-", "-", "-", "ada", "Ada King", '""', "[x]", "a\\", "\u00e9", "\udce9", "", " ", "- -")
MONTHS = ("Nov", "Nov", "Nov", "Jan", "Feb", "Sep", "Dec", "nov", "NOV", "Mai", "11", "No")
OFFSETS = (
    "-0500", "-0500", "+0000", "-0000", "+0530", "+1400", "-1400", "+1401", "+1459", "-1500",
    "+0060", "+9999", "0500", "-05:00", "Z", "EST", "-050", "+00000", "\u22120500",
)  # fmt: skip
STATUSES = (
    "200", "200", "200", "304", "404", "500", "503", "100", "599", "099", "600", "99", "0200",
    "2e2", "-", "", "+20", "20.", "\uff12\uff10\uff10", "000", "999", "1_0",
)  # fmt: skip
SIZES = (
    "5", "0", "-", "123", "007", "9" * 18, "0" * 18, "1" + "0" * 18, "0" * 19, "-5", "+5", "5.0",
    "1e3", "0x10", "1_0", "\u0665", "\u00b2", "", "--", " 5",
)  # fmt: skip
METHODS = ("GET", "GET", "GET", "POST", "HEAD", "X", "get", "G\u00c9T", "M-SEARCH", "", "-", "GET ")
TARGETS = (
    "/", "/a", "/a?b", "/a?", "/?a?b", "/a.css", "/A.PNG", "/robots.txt", "/x.g\u0130f", "/a;b#c",
    "//a", "*", "-", "", " ", "/a b", "http://h.example", "http://h.example/", "HTTPS://H:1/a?b",
    "http://h?x", "http://h#x?y", "http:///a", "http://-/a", "http://", "a+b.c-d://h/a", "://h/a",
    "1a://h/a", "/go?u=http://h/", "h.example:443", "\\x16\\x03", "/\u00e9", "/\udce9", '/a\\"b',
    "/HTTP/1.1", "HTTP/1.1", "http://h/a b.css", "http://h/robots.txt", "http://\u00e9/ ",
)  # fmt: skip
PROTOCOLS = (" HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2", " HTTP/", " http/1.1", "", " ", "  HTTP/1.1")  # noqa: E501  # fmt: skip
REFERRERS = (
    "-", "-", "", "http://r.example/a", "HTTPS://R.Example:8443/?x", "http://u:p@r.example",
    "http://[2001:db8::9]:80/", "http://r.example\\x", "ftp://r.example/", "//r.example/", "http://",
    "http://:80/", "http://a@b@c/", "http://r.example:x/", "a\\", '\\"', "http://R\u00c9/", "--",
)  # fmt: skip
AGENTS = (
    "Firefox/49.0", "Firefox/49.0", "Firefox/50.0", "-", "", " ", "Googlebot", "AMAZON CLOUDFRONT",
    "a\\", "a\\\\", '\\"', "\u00e9" * 495 + "Googlebot", "e\u0301" * 250 + "bot", "\udcff", "\0",
)  # fmt: skip
ENDS = ("", "", "", "", "\r", " ", ' "x"', "x", "\r\r", '"', "\\")


def two_digits(last: int) -> st.SearchStrategy[str]:
    """Draw two digits, now and then beyond the last that is valid, or only one."""
    return st.sampled_from([f"{number:02}" for number in range(last + 2)] + ["7"])


def chosen(layout: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Draw the layout with its places filled."""
    return st.tuples(*parts).map(lambda drawn: layout.format(*drawn))


YEARS = st.sampled_from(["2016"] * 6 + ["1970", "2099", "1969", "2100", "2000", "16", "02016"])
ODD_TIMES = chosen(
    "{}/{}/{}:{}:{}:{} {}",
    two_digits(31), st.sampled_from(MONTHS), YEARS, two_digits(23), two_digits(59),
    two_digits(60), st.sampled_from(OFFSETS),
)  # fmt: skip
MINUTES_OF_FOUR_DAYS = st.integers(0, 4 * 24 * 60 - 1)
GOOD_TIMES = MINUTES_OF_FOUR_DAYS.map(
    lambda n: f"{6 + n // 1440:02}/Nov/2016:{n // 60 % 24:02}:{n % 60:02}:00 -0500"
)
TIMES = st.one_of(GOOD_TIMES, GOOD_TIMES, GOOD_TIMES, ODD_TIMES)
REQUESTS = chosen(
    "{} {}{}", st.sampled_from(METHODS), st.sampled_from(TARGETS), st.sampled_from(PROTOCOLS)
)
FULL_TAILS = chosen(
    ' "{}" "{}"{}', st.sampled_from(REFERRERS), st.sampled_from(AGENTS), st.sampled_from(ENDS)
)
CUT_TAILS = st.sampled_from(("", " ", ' "', ' "-"', ' "-" ', " -"))
TAILS = st.one_of(FULL_TAILS, FULL_TAILS, FULL_TAILS, FULL_TAILS, CUT_TAILS)
ODD_LINES = chosen(
    '{} {} {} [{}] "{}" {} {}{}',
    st.sampled_from(CLIENTS), st.sampled_from(("-", "-", "-", 'i"d', "[")),
    st.sampled_from(USERS), TIMES, REQUESTS, st.sampled_from(STATUSES), st.sampled_from(SIZES),
    TAILS,
)  # fmt: skip
# Good lines, so that what a mutation breaks is the mutation's doing alone.
PLAIN_LINES = chosen(
    '{} - - [{}] "GET {} HTTP/1.1" 200 5 "-" "{}"',
    st.sampled_from(CLIENTS[:8]), GOOD_TIMES, st.sampled_from(TARGETS), st.sampled_from(AGENTS),
)  # fmt: skip
PLACE = st.integers(0, 400)
CUT = st.sampled_from((0, 0, 0, 1, 2, 1000))
MUTATIONS = st.lists(
    st.tuples(PLACE, CUT, st.sampled_from((*WORST, ""))), min_size=1, max_size=3
)  # fmt: skip
NOISE = st.lists(st.sampled_from(WORST), max_size=12).map("".join)


def mutate(line_and_mutations: tuple[str, list[tuple[int, int, str]]]) -> str:
    """Return the line with something put in place of nothing, a little or all that follows."""
    line, mutations = line_and_mutations
    for place, cut, insertion in mutations:
        start = place % (len(line) + 1)
        line = line[:start] + insertion + line[start + cut :]
    return line


MUTATED_LINES = st.tuples(st.one_of(PLAIN_LINES, ODD_LINES), MUTATIONS).map(mutate)
HOSTILE_LINES = st.one_of(ODD_LINES, MUTATED_LINES, MUTATED_LINES, PLAIN_LINES, NOISE)
