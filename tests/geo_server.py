"""A local HTTP server that answers as scripted: files, refusals, cut connections, redirects."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
