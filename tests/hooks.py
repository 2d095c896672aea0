"""A service on the loopback that takes alerts, or refuses them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Hook:
    """A web hook that keeps what it gets; it refuses while `is_down`, and `refusals` times."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.received: list[dict[str, str]] = []
        self.is_down = False
        self.refusals = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refuses = hook.is_down or hook.refusals > 0
                hook.refusals -= hook.refusals > 0
                if not refuses:
                    hook.received.append({"title": body["title"], "body": body["message"]})
                self.send_response(503 if refuses else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/"
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def titles(self) -> list[str]:
        """What was said, in order."""
        return [one["title"].removeprefix("tidegauge: ") for one in self.received]
