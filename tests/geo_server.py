"""A local HTTP server that answers as scripted: files, refusals, cut connections, redirects."""

import io
import tarfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conftest import build_database

from pipeline.enrich.geo.check import KNOWN_COUNTRIES

KEY = "s3cr3t-licence-key"
"""Of no value; every refusal repeats it, as a careless server might."""

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Serves `answers` by path (without the query), the next of the list at each request."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port of the loopback interface."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str | None]] = []  # path with query, Authorization

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        """Return the address of `path` here, under either of the machine's own names."""
        return f"http://{host}:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    """Looks the answer up; a path without one is a 404."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Note the request and give its answer."""
        self.server.requests.append((self.path, self.headers["Authorization"]))
        answers = self.server.answers.get(self.path.split("?")[0], [refuse(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        """Keep stderr clean."""


def serve(content: bytes, declared: int | None = None) -> Answer:
    """Send `content`, with a wrong length when one is `declared`."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if declared is None else declared))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True

    return answer


def serve_undeclared(content: bytes) -> Answer:
    """Send `content` without its length and close the connection."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True

    return answer


def refuse(status: int, body: bytes = b"") -> Answer:
    """Send `status`, with the key in its reason."""

    def answer(handler: Handler) -> None:
        handler.send_response(status, f"no {KEY}")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(to: str) -> Answer:
    """Send elsewhere."""

    def answer(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def hang_up(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def make_database(tmp_path: Path, kind: str, built: str = "2016-11-03T11:31:32Z") -> bytes:
    """A database of `kind` that knows the addresses every fetched database must know."""
    path = tmp_path / "made.mmdb"
    build_database(path, kind, built, {f"{ip}/32": place for ip, place in KNOWN_COUNTRIES.items()})
    content = path.read_bytes()
    path.unlink()
    return content


def make_archive(content: bytes, name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for member, data in [("d/COPYRIGHT.txt", b"text"), (f"d/{name}", content)]:
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


MAXMIND_PATH = "/maxmind/geoip/databases/GeoLite2-City/download"
