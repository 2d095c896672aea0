"""Services for alerts: a web server on loopback, whose every path answers as its mood is."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


class Services:
    """One server with a service at each path; `moods` says how each answers, at first well."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.moods: dict[str, str] = {}
        self.got: dict[str, list[dict[str, str]]] = {}
        self.asked: dict[str, int] = {}
        self.is_over = Event()
        these = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                these.answer(self, self.path.strip("/"), body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, name: str, body: dict[str, str]) -> None:
        """Answer as the service's mood is."""
        mood = self.moods.get(name, "takes")
        self.asked[name] = self.asked.get(name, 0) + 1
        if mood == "hangs":
            self.is_over.wait(600)
        if mood == "drips":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
            while not self.is_over.wait(0.5):
                handler.wfile.write(b".")
        if mood == "takes":
            self.got.setdefault(name, []).append(body)
        handler.send_response(200 if mood == "takes" else 500)
        handler.end_headers()

    def url(self, name: str, user: str = "") -> str:
        """An alert URL of a service."""
        return f"json://{user}127.0.0.1:{self.server.server_port}/{name}"

    def titles(self, name: str) -> list[str]:
        """The titles of each message that a service took."""
        return [one["title"].removeprefix("tidegauge: ") for one in self.got.get(name, [])]

    def close(self) -> None:
        """End what hangs, and listen no more."""
        self.is_over.set()
        self.server.shutdown()
        self.server.server_close()
