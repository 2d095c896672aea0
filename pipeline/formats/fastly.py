"""Fastly's streamed logs: common or combined behind the prefix of its syslog endpoints.

Without the prefix (line format "blank") they are common and combined themselves.
Source: Fastly, Changing log line formats ("classic") and Useful log formats.
"""

from pipeline.formats.error_logs import or_no_hit
from pipeline.formats.pattern import SYSLOG, Pattern, Segment
from pipeline.formats.web_servers import COMBINED, COMMON

_PREFIX = Segment(
    SYSLOG, plain=r"(?:<\d{1,3}>)?\d{4}-\d\d-\d\dT[^ ]+ [^ ]+ [^ :\[\]]+(?:\[\d+\])?: "
)
FASTLY = Pattern(
    "fastly",
    (_PREFIX, *COMBINED),
    example="<134>2024-10-10T13:55:37Z cache-fra0001 access[31337]: 192.0.2.10 - - "
    '[10/Oct/2024:13:55:36 +0000] "GET /a?b=c HTTP/2" 200 2326 "https://example.org/" '
    '"Mozilla/5.0"',
    not_hits=or_no_hit(),
)
"""``%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"``."""

FASTLY_COMMON = Pattern(
    "fastly_common",
    (_PREFIX, *COMMON),
    example="<134>2024-10-10T13:55:37Z cache-fra0001 access[31337]: 192.0.2.10 - - "
    '[10/Oct/2024:13:55:36 +0000] "GET /a?b=c HTTP/2" 200 2326',
    not_hits=or_no_hit(),
)
"""``%h %l %u %t "%r" %>s %b``, the default of most endpoints."""

LAYOUTS = (FASTLY, FASTLY_COMMON)
