"""Lines that are no hits: cut off, glued together, binary, or blank."""

import numpy as np

KINDS = 7


def break_line(line: bytes, kind: int, rng: np.random.Generator) -> bytes:
    """Make something that is no hit of a good combined line; both without newline.

    ``kind`` 0-6: cut off in the request (its quote stays open), cut off in the time, only the
    line's end, binary, a TLS handshake as it came over the wire, blank, or cut and followed by
    another line.
    """
    quote = line.index(b'"')
    noise = rng.bytes(int(rng.integers(20, 200))).replace(b"\n", b"\0")
    broken = (
        line[: quote + 10],
        line[: line.index(b"[") + 9],
        line[line.index(b'"', quote + 1) + 3 :],
        b"\xfe\xff" + noise,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise,
        b"",
        line[: quote + 8] + line,
    )
    return broken[kind]
