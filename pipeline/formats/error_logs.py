"""Error logs of Apache and nginx: their lines are no requests, wherever they turn up.

Sources: Apache's core directive ErrorLogFormat and its examples (2.2 and 2.4), nginx's
``ngx_log_error_core`` (``error_log`` directive).
"""

_APACHE = r"\[[A-Z][a-z][a-z] [A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \d{4}\] \["
_NGINX = (
    r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d "
    r"\[(?:debug|info|notice|warn|error|crit|alert|emerg)\] \d+#\d+: "
)
NOT_HITS = rf"^(?:{_APACHE}|{_NGINX})"
"""Lines of an error log, as RE2."""


def or_no_hit(*others: str) -> str:
    """What a layout's ``not_hits`` is: an error log's line, or one that begins as ``others`` do."""
    return "|".join((NOT_HITS, *(f"^(?:{other})" for other in others)))
