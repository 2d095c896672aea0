"""Locks of a lake in a store, across machines: leases that whoever holds them keeps alive.

They spare machines work that would be in vain; that nothing is lost or doubled rests on the log
alone (``commit_log``). No clock is compared with another's: a lease has run out when whoever waits
has seen it unchanged for ``SECONDS``.
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pipeline.errors import TidegaugeError
from pipeline.lake.requests import TakenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.lake.objects import Objects

SECONDS = 30.0
_BEATS = 5
_SAID_AFTER = 5.0
_LONGEST_PAUSE = 1.0

log = logging.getLogger(__name__)


class Lease:
    """One lock of a lake, as one process holds it."""

    def __init__(self, objects: Objects, name: str) -> None:
        """Know the lock; ``held`` takes it."""
        self._objects, self._place = objects, f"ledger/locks/{name}.json"
        self._name, self._owner = name, secrets.token_hex(8)
        self._beat, self._etag = 0, ""
        self._ended = threading.Event()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it; others wait, as long as this process lives."""
        self._take()
        beating = threading.Thread(target=self._keep, daemon=True)
        beating.start()
        try:
            yield
        finally:
            self._ended.set()
            beating.join()
            with suppress(TakenError, TidegaugeError):  # then it runs out
                self._objects.replace(self._place, self._text(is_held=False), self._etag)

    def _text(self, *, is_held: bool) -> bytes:
        """No two are the same: an entity tag says which it is."""
        self._beat += 1
        return json.dumps(
            {
                "owner": self._owner, "host": socket.gethostname(), "beat": self._beat,
                "is_held": is_held,
            }
        ).encode()  # fmt: skip

    def _take(self) -> None:
        begun, pause, is_said = time.monotonic(), 0.05, False
        seen, since = "", begun
        while True:
            found = self._objects.get(self._place)
            now = time.monotonic()
            if found is None:
                its = _parse(b"")
            else:
                its = _parse(found[0])
                if its["owner"] == self._owner:  # the answer was lost on the way
                    self._etag = found[1]
                    return
                if found[1] != seen:
                    seen, since = found[1], now
            if not its["is_held"] or now - since > SECONDS:
                with suppress(TakenError):
                    text = self._text(is_held=True)
                    self._etag = (
                        self._objects.replace(self._place, text, found[1])
                        if found
                        else self._objects.create(self._place, text)
                    )
                    return
                continue
            if not is_said and now - begun > _SAID_AFTER:
                is_said = True
                log.warning(
                    "waiting for %s on %s: another run is at it", self._objects.name, its["host"]
                )
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    def _keep(self) -> None:
        while not self._ended.wait(SECONDS / _BEATS):
            try:
                if not self._renew():
                    return  # it ran out: the log refuses what is done under it
            except TidegaugeError:  # the next beat tries again
                continue

    def _renew(self) -> bool:
        try:
            text = self._text(is_held=True)
            self._etag = self._objects.replace(self._place, text, self._etag)
        except TakenError:
            found = self._objects.get(self._place)
            if not found or _parse(found[0])["owner"] != self._owner:
                return False
            self._etag = found[1]  # the answer was lost on the way
        return True


def _parse(text: bytes) -> dict[str, object]:
    """What a lock's object says; that nobody holds it where it is no lock."""
    with suppress(ValueError, KeyError, TypeError):
        its = json.loads(text)
        return {name: its[name] for name in ("owner", "host", "is_held")}
    return {"owner": "", "host": "", "is_held": False}
