"""Layouts of web servers that begin with, or grow from, the common and the combined layout.

Apache, nginx, Tomcat, Jetty and Varnish write common and combined themselves, as does "NCSA
extended": ``combined.py`` reads both. Here is what they and others put before, between or behind.
Every layout ends where its last field ends.

Most are shapes of our own, not their servers' format strings compiled: those take an empty client,
any text for a duration and a sentence for a line, by which layouts could not be told apart.
"""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.error_logs import or_no_hit
from pipeline.formats.pattern import (
    CLF,
    IDENTITY_AND_USER,
    QUOTED,
    SHAPES,
    Pattern,
    Segment,
    literal,
)
from pipeline.formats.templates import compile_format

CLIENT = Segment('[^ "]+', "client")
HOST = Segment(r'[^ ":,\[]+|\[[0-9A-Fa-f:.]+\]', "host")
"""A name or an address, one of version 6 in brackets; a comma after it makes it a list's first."""
TIME = Segment(CLF.pattern, "time")
STATUS, BYTES = (Segment(SHAPES[name], name) for name in ("status", "bytes"))
REFERRER, AGENT = (Segment(QUOTED, name) for name in ("referrer", "agent"))
_PORT = Segment(r"(?::\d{1,5})? ")
_RESULT = (Segment(QUOTED, "request"), literal('" '), STATUS, literal(" "), BYTES)
COMMON = (CLIENT, IDENTITY_AND_USER, TIME, literal('] "'), *_RESULT)
QUOTES = (literal(' "'), REFERRER, literal('" "'), AGENT, literal('"'))
COMBINED = (*COMMON, *QUOTES)
_LINE = '192.0.2.10 - - [10/Oct/2024:13:55:36 +0200] "GET /a?b=c HTTP/1.1" 200 2326'
_QUOTED = ' "https://example.org/" "Mozilla/5.0"'


def _without_unit(texts: pa.StringArray) -> pa.StringArray:
    return pc.replace_substring_regex(texts, pattern="ms$", replacement="")


VHOST_COMMON = Pattern(
    "vhost_common",
    (HOST, _PORT, *COMMON),
    example=f"www.example.com {_LINE}",
)
"""Apache's ``%v %h %l %u %t "%r" %>s %b``, also with ``%v:%p``.

Source: mod_log_config, examples, "Common Log Format with Virtual Host".
"""

VHOST_COMBINED = Pattern(
    "vhost_combined",
    (HOST, _PORT, *COMBINED),
    example="www.example.com:443 2001:db8::10 - - [10/Oct/2024:13:55:36 +0200] "
    '"GET /a?b=c HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0"',
)
"""Apache's ``%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"``, also without port.

Source: Debian's apache2.conf, ``vhost_combined``; mod_log_config.
"""

COMBINED_FORWARDED = Pattern(
    "combined_forwarded",
    (*COMBINED, literal(' "'), Segment(QUOTED, "forwarded"), literal('"')),
    example=f'{_LINE}{_QUOTED} "198.51.100.7, 203.0.113.9"',
)
"""nginx's ``main``: combined and ``"$http_x_forwarded_for"``.

Source: the nginx.conf that nginx's packages install, ``log_format main``.
"""

NGINX_REQUEST_TIME = Pattern(
    "nginx_request_time",
    (*COMBINED, literal(" "), Segment(r"\d+\.\d{3}", "duration_s")),
    example=f"{_LINE}{_QUOTED} 0.012",
)
"""Combined and ``$request_time``: seconds with milliseconds.

Source: ngx_http_log_module, ``$request_time``.
"""

NGINX_INGRESS = Pattern(
    "nginx_ingress",
    (*COMBINED, Segment(r" \d+ "), Segment(r"\d+\.\d{3}", "duration_s"), Segment(r" \[[^\]]*\] ")),
    example='192.0.2.10 - - [10/Oct/2024:13:55:36 +0000] "GET /a?b=c HTTP/1.1" 200 2326 '
    '"https://example.org/" "Mozilla/5.0" 512 0.012 [default-web-80] [] 10.0.0.5:8080 2326 0.011 '
    "200 0123456789abcdef0123456789abcdef",
    rest=".",
)
"""ingress-nginx's ``upstreaminfo``; several upstreams, and older versions with fewer fields.

Source: ingress-nginx, user guide, log format.
"""


def _with_host(layout: Pattern) -> Pattern:
    """The same layout with the site's name, and perhaps a port, before the client."""
    return replace(
        layout, name=f"vhost_{layout.name}", segments=(HOST, _PORT, *layout.segments),
        example=f"www.example.com {layout.example}",
    )  # fmt: skip


NGINX_PROXY = Pattern(
    "nginx_proxy",
    (
        HOST, _PORT, *COMBINED,
        Segment(r' "(?:-|(?:unix:[^" ,]+|[^" ,]+:\d+)(?:(?:,| :) (?:unix:[^" ,]+|[^" ,]+:\d+))*)"'),
    ),
    example='www.example.com 192.0.2.10 - - [10/Oct/2024:13:55:36 +0200] "GET /a?b=c HTTP/2.0" 200 '
    '2326 "https://example.org/" "Mozilla/5.0" "172.18.0.7:5000"',
)  # fmt: skip
"""The ``vhost`` format of the container nginx-proxy: the site before, ``"$upstream_addr"`` behind.

Source: nginx-proxy, nginx.tmpl, ``log_format vhost``.
"""

NPM_PROXY, NPM_STANDARD = (
    compile_format(
        f"[$time_local] {before} - $request_method $scheme $host "
        '"$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] '
        f'{behind}"$http_user_agent" "$http_referer"',
        name,
        f"[10/Oct/2024:13:55:36 +0200] {status} - GET https www.example.com "
        f'"/a?b=c" [Client 192.0.2.10] [Length 2326] [Gzip 3.02] {server}'
        '"Mozilla/5.0" "https://example.org/"',
    )
    for name, before, status, behind, server in (
        ("npm_proxy", "$upstream_cache_status $upstream_status $status", "HIT 200 200",
         "[Sent-to $server] ", "[Sent-to 172.16.101.54] "),
        ("npm_standard", "$status", "200", "", ""),
    )
)  # fmt: skip
"""Nginx Proxy Manager's ``proxy`` and ``standard``.

Source: Nginx Proxy Manager, nginx.conf, ``log_format``.
"""

LITESPEED, LITESPEED_COMMON = (
    Pattern(
        name,
        (literal('"'), *segments),
        example=f'"{_LINE}{quotes}"',
    )
    for name, segments, quotes in (
        ("litespeed", (*COMBINED, literal('"')), _QUOTED),
        ("litespeed_common", (*COMMON, literal('"')), ""),
    )
)
"""Combined and common with the quotes of LiteSpeed's ``logFormat`` around them, which it writes.

Source: OpenLiteSpeed, ``accesslog``, ``logFormat``, as CyberPanel sets it.
"""

APACHE_DURATION = Pattern(
    "apache_duration",
    (*COMBINED, literal(" "), Segment(r"\d+", "duration_us")),
    example=f"{_LINE}{_QUOTED} 12345",
)
"""Combined and ``%D``: microseconds, in Tomcat from version 10 too.

Source: mod_log_config, ``%D``.
"""

COMBINEDIO = Pattern(
    "combinedio",
    (*COMBINED, Segment(r" \d+ \d+")),
    example=f"{_LINE}{_QUOTED} 412 2710",
)
"""Combined and ``%I %O``, all bytes of request and response; ``bytes_sent`` stays the body's.

Source: Apache's httpd.conf, ``combinedio``; mod_logio.
"""

TOMCAT_DURATION = Pattern(
    "tomcat_duration",
    (*COMMON, literal(" "), Segment(r"\d+", "duration_ms")),
    example="192.0.2.10 - - [10/Oct/2024:13:55:36 +0200] "
    '"GET /shop/cart?id=7 HTTP/1.1" 200 2326 12',
)
"""Common and ``%D`` as Tomcat up to version 9 writes it: milliseconds.

Source: Tomcat 9, Access Log Valve, ``%D``.
"""

JETTY_LATENCY = Pattern(
    "jetty_latency",
    (*COMBINED, Segment(' (?:- |"[^"]*" )?'), Segment(r"\d+", "duration_ms")),
    example="192.0.2.10 - - [10/Oct/2024:13:55:36 +0000] "
    '"GET /a?b=c HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0" 12',
)
"""Combined, cookies when they are logged, and the latency in milliseconds; Tomcat's combined
with ``%D`` too.

Source: Jetty, NCSARequestLog, ``setLogLatency`` and ``setLogCookies``.
"""

ICECAST2 = Pattern(
    "icecast2",
    (*COMBINED, literal(" "), Segment(r"\d+", "duration_s")),
    example='192.0.2.10 - - [10/Oct/2024:13:55:36 +0200] "GET /live.ogg HTTP/1.1" 200 734003 '
    '"-" "VLC/3.0.18" 314',
)
"""Combined and the seconds that the listener was connected.

Source: Icecast 2, ``logging_access`` in logging.c.
"""

OVH = Pattern(
    "ovh",
    (
        CLIENT, literal(" "), Segment(r'[^ ":]+\.[^ ":]+', "host", r'[^ ":.]+(?:\.[^ ":.]+)+'),
        _PORT, Segment(r".+? \[", plain=r"[^ ]+ \["), TIME, literal('] "'), *_RESULT, *QUOTES,
    ),
    example="192.0.2.10 www.example.com - [10/Oct/2024:13:55:36 +0200] "
    '"GET /a?b=c HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0"',
)  # fmt: skip
"""OVHcloud's web hosting: combined with the site in the identity's place.

Source: Matomo's log importer, format ``ovh`` (OVHcloud does not publish one).
"""

GANDI = Pattern(
    "gandi",
    (
        HOST, _PORT, CLIENT, IDENTITY_AND_USER, TIME, literal("] ("), Segment(r"\d+", "duration_s"),
        literal(' s) "'), *_RESULT, *QUOTES,
    ),
    example="www.example.com 192.0.2.10 - - [10/Oct/2024:13:55:36 +0000] (0 s) "
    '"GET /a?b=c HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0"',
)  # fmt: skip
"""Gandi's Simple Hosting: combined with the site before and the seconds taken after the time.

Source: Matomo's log importer, format ``gandi`` (Gandi does not publish one).
"""

COUCHBASE = Pattern(
    "couchbase",
    (
        *COMMON, literal(" "), Segment('-|[A-Za-z][A-Za-z0-9+.-]*:[^" ]*', "referrer"),
        literal(' "'), AGENT, literal('" '), Segment("(?:Request took |)", plain="Request took "),
        Segment(r"\d+ms|", "duration_ms", r"\d+ms"),
    ),
    example="192.0.2.10 - Administrator [10/Oct/2024:13:55:36 +0000] "
    '"GET /pools/default?b=c HTTP/1.1" 200 512 - "curl/8.5.0" Request took 5ms',
    rest=r"(?:$|[A-Za-z]|\d+ [A-Za-z])",
    plain_rest="$",
    decoders={"duration_ms": _without_unit},
)  # fmt: skip
"""Couchbase Server's http_access.log: the referrer without quotes, and how it ended in words or
milliseconds.

Source: Couchbase Server, Manage Logging, ``http_access.log``.
"""

LAYOUTS = tuple(
    replace(layout, not_hits=or_no_hit())
    for layout in (
        VHOST_COMBINED, VHOST_COMMON, NGINX_INGRESS, COMBINED_FORWARDED, NGINX_REQUEST_TIME,
        COMBINEDIO, APACHE_DURATION, TOMCAT_DURATION, JETTY_LATENCY, ICECAST2, GANDI, OVH,
        COUCHBASE, *map(_with_host, (NGINX_INGRESS, NGINX_REQUEST_TIME, COMBINEDIO)),
        NGINX_PROXY, NPM_PROXY, NPM_STANDARD, LITESPEED, LITESPEED_COMMON,
    )
)  # fmt: skip
