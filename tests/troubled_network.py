"""A network between a machine and a store, on loopback, that loses, delays and repeats messages."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_KINDS = ("lost answer", "lost request", "twice", "late", "409", "503")


class Network(ThreadingHTTPServer):
    """Passes requests on to a store, most of them as they are."""

    daemon_threads = True

    def __init__(self, store: str, seed: int, trouble: float) -> None:
        """Trouble so great a share of requests."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store.removeprefix("http://")
        self.chance, self.trouble = random.Random(seed), trouble
        self.met: Counter[str] = Counter()
        self.loses: Callable[[str, str], bool] = lambda _method, _path: False
        """Whether the answer to this request is lost, whatever chance says."""
        self.requests = self.sent = 0
        """How many came, and the bytes of their bodies."""

    @property
    def address(self) -> str:
        """What a machine calls the store."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing: broken connections are what it is for."""


class _Handler(BaseHTTPRequestHandler):
    server: Network
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests += 1
        self.server.sent += len(body)
        kind = ""
        if self.server.chance.random() < self.server.trouble:
            kind = self.server.chance.choice(_KINDS)
        if self.server.loses(self.command, self.path):
            kind = "lost answer"
        self.server.met.update([kind] if kind else [])
        if kind == "lost request":
            self._break()
            return
        if kind in {"409", "503"}:
            code = {"409": "ConditionalRequestConflict", "503": "SlowDown"}[kind]
            text = f"<Error><Code>{code}</Code><Message>try again</Message></Error>".encode()
            self._answer(int(kind), [("Content-Type", "application/xml")], text)
            return
        if kind == "late":
            time.sleep(0.3)
        answer = self._ask(body)
        if kind == "twice":
            answer = self._ask(body)
        if kind == "lost answer":
            self._break()
            return
        self._answer(*answer)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        store = http.client.HTTPConnection(self.server.store, timeout=30)
        store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "expect":
                store.putheader(name, value)
        store.endheaders(body or None)
        answer = store.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        store.close()
        return found

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value  # of an object that was only looked at
            elif name.lower() not in {"transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _break(self) -> None:
        self.close_connection = True
        self.connection.close()

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        return True

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass  # noqa: N815 the library's names


@contextmanager
def troubled(store: str, seed: int, trouble: float) -> Iterator[Network]:
    """Run such a network in front of a store."""
    with Network(store, seed, trouble) as network:
        threading.Thread(target=network.serve_forever, daemon=True).start()
        try:
            yield network
        finally:
            network.shutdown()
