"""Whether a store keeps the conditions that a lake in it rests on: tried out, not believed."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.lake.requests import TakenError

if TYPE_CHECKING:
    from pipeline.lake.objects import Objects

CONDITIONS = "conditions (If-None-Match, If-Match)"
"""What sentences call them."""
_NO_TAG = '"0123456789abcdef0123456789abcdef"'


def keeps_conditions(objects: Objects, *, of_parts: bool = False) -> bool:
    """Write twice over an object as may not be, by one request or of parts; nothing is left."""
    place = f"ledger/locks/probe-{secrets.token_hex(8)}"
    broken = 0
    objects.create(place, b"1")
    try:
        with suppress(TakenError):
            if of_parts:
                objects.make(place, [b"2"], IfNoneMatch="*")
            else:
                objects.create(place, b"2")
            broken += 1
        with suppress(TakenError):
            if of_parts:
                objects.make(place, [b"3"], IfMatch=_NO_TAG)
            else:
                objects.replace(place, b"3", _NO_TAG)
            broken += 1
    finally:
        objects.delete(place)
    return not broken
