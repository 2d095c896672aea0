"""Who a visitor is: a keyed hash over the canonical client and the user agent.

The key lies outside the lake; the lake keeps only the key's fingerprint. Without the key an
address cannot be guessed back from its hash.
"""

import hashlib
import hmac
import os
import secrets
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.definitions import LEAST_KEY_LENGTH
from pipeline.errors import SettingsError
from pipeline.formats.numbers import are_full, compiled_for, first_rows, new_numbers
from pipeline.settings import Settings

_BLOCK = 64  # SHA-256's, in bytes


@dataclass(frozen=True)
class VisitorKey:
    """The secret of a site's visitor hash."""

    secret: bytes

    @property
    def fingerprint(self) -> str:
        """What the lake stores to recognise the key: 16 hex digits."""
        return hmac.digest(self.secret, b"tidegauge fingerprint", "sha256").hex()[:16]

    @property
    def session_key(self) -> bytes:
        """The 16 bytes that key the session ids, derived from the secret."""
        return hmac.digest(self.secret, b"tidegauge sessions", "sha256")[:16]

    @property
    def line_key(self) -> bytes:
        """The 16 bytes that key the hashes of raw lines, derived from the secret."""
        return hmac.digest(self.secret, b"tidegauge lines", "sha256")[:16]

    def hash_messages(self, messages: pa.StringArray) -> npt.NDArray[np.uint64]:
        """The first 64 bits of each message's HMAC-SHA256 (RFC 2104), as big-endian numbers."""
        key = self.secret if len(self.secret) <= _BLOCK else hashlib.sha256(self.secret).digest()
        key = key.ljust(_BLOCK, b"\0")
        inner, outer = (bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C))
        if compiled := compiled_for():
            numbers: npt.NDArray[np.uint64] = compiled.hash_messages(messages, (inner, outer))
            return numbers
        # The two keyed states are copied for each message: 0.4 of ``hmac.digest``'s time.
        start_inner, start_outer = hashlib.sha256(inner).copy, hashlib.sha256(outer).copy
        digests = bytearray()
        for message in messages.cast(pa.binary()).to_pylist():
            within = start_inner()
            within.update(message)
            around = start_outer()
            around.update(within.digest())
            digests += around.digest()[:8]
        return np.frombuffer(digests, ">u8").astype(np.uint64)


def hash_sessions(
    session_key: bytes, visitor_id: npt.NDArray[np.uint64], started_at: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """The ids of n sessions, as ``sql/sessions.sql`` has them; ``started_at`` in microseconds.

    The first 64 bits of SHA-256 over key, visitor, ``-`` and start.
    """
    if compiled := compiled_for(visitor_id.nbytes + started_at.nbytes):
        ids: npt.NDArray[np.uint64] = compiled.hash_sessions(session_key, visitor_id, started_at)
        return ids
    # Arrow writes the numbers: a fifth of the time less than Python.
    visitors, starts = (
        pa.array(numbers).cast(pa.string()).cast(pa.binary())
        for numbers in (visitor_id, started_at)
    )
    keyed = pc.binary_join_element_wise(pa.scalar(session_key, pa.binary()), visitors, b"")
    messages = pc.binary_join_element_wise(keyed, starts, b"-").to_pylist()
    sha256 = hashlib.sha256
    digests = b"".join([sha256(message).digest() for message in messages])
    return np.frombuffer(digests, ">u8")[::4].astype(np.uint64)


def load_key(settings: Settings) -> VisitorKey:
    """The key from the settings, or from its file, which is made on first use.

    Raises:
        SettingsError: the file is empty, or others than its owner may read it.
    """
    if settings.visitor_key:
        return VisitorKey(settings.visitor_key.get_secret_value().encode())
    path = settings.visitor_key_file.expanduser()
    if not path.exists():
        _make_key(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError(
            "visitor_key_file", str(path), "others may read it; run chmod 600 on it"
        )
    secret = path.read_bytes().strip()
    if len(secret) < LEAST_KEY_LENGTH:
        why = f"shorter than {LEAST_KEY_LENGTH} bytes; remove it"
        raise SettingsError("visitor_key_file", str(path), why)
    return VisitorKey(secret)


def _make_key(path: Path) -> None:
    """Write a new key; of several processes at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


class Visitors:
    """Makes the ``visitor_id`` of hits, once for visitors that come again.

    May be used by several threads at once.
    """

    def __init__(self, key: VisitorKey) -> None:
        """Know nobody yet."""
        self._key, self._lock = key, threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._names, self._agents, self._visitors = (new_numbers() for _ in range(3))
        self._ids: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)

    def identify(
        self, clients: pa.DictionaryArray, user_agents: pa.DictionaryArray
    ) -> npt.NDArray[np.uint64]:
        """The ``visitor_id`` of each hit: 64 bits of HMAC-SHA256(client, NUL, user agent).

        Args:
            clients: shape ``(n,)``, canonical.
            user_agents: shape ``(n,)``, as written; null counts as empty.
        """
        names = clients.dictionary
        agents = pa.concat_arrays([user_agents.dictionary, pa.array([""], pa.string())])
        of_null = len(agents) - 1
        at_agent = user_agents.indices.fill_null(of_null).to_numpy(zero_copy_only=False)
        pair = clients.indices.to_numpy().astype(np.int64) * len(agents) + at_agent
        pairs = pa.array(pair).dictionary_encode()  # its table fits into the processor's cache
        at_name, at_agent = np.divmod(pairs.dictionary.to_numpy(), len(agents))
        with self._lock:
            remembered = (self._names, self._agents, self._visitors)
            # Visitors and ids differ after an error.
            if any(map(are_full, remembered)) or len(self._visitors) != len(self._ids):
                self._forget()
            name, agent = self._names.number(names), self._agents.number(agents)
            known = len(self._visitors)
            visitor = self._visitors.number(
                pa.array(name[at_name].astype(np.int64) << 32 | agent[at_agent])
            )
            rows = first_rows(visitor, known, len(self._visitors))
            messages = pc.binary_join_element_wise(
                names.take(pa.array(at_name[rows])), agents.take(pa.array(at_agent[rows])), "\0"
            )
            made = self._key.hash_messages(messages)
            self._ids = np.concatenate([self._ids, made])
            of_pair = self._ids[visitor]
        ids: npt.NDArray[np.uint64] = of_pair[pairs.indices.to_numpy()]
        return ids
