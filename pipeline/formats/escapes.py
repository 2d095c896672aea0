"""What the layouts escape in a field, and how it is undone."""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import unquote, unquote_plus

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Decoder: TypeAlias = Callable[[pa.StringArray], pa.StringArray]
"""Makes ``n`` values of ``n`` texts; null stays null."""

_VERSION = re.compile(r"\A(\d+\.\d+).*", re.ASCII | re.DOTALL)
_HEX = re.compile(r"\\x([0-9A-Fa-f]{2})")


def decode(
    texts: Mapping[str, pa.StringArray], decoders: Mapping[str, Decoder]
) -> dict[str, pa.StringArray]:
    """Make values of those fields that have a decoder."""
    return {
        name: decoders[name](text) if name in decoders else text for name, text in texts.items()
    }


def plus_is_space(texts: pa.StringArray) -> pa.StringArray:
    """Put the spaces back for which ``+`` stands."""
    return pc.replace_substring(texts, pattern="+", replacement=" ")


def percent_is_escaped(texts: pa.StringArray) -> pa.StringArray:
    """Take the escape of ``%`` itself back, and leave a URL's own escapes."""
    return pc.replace_substring(texts, pattern="%25", replacement="%")


def out_of_quotes(texts: pa.StringArray) -> pa.StringArray:
    """Take the quotes off that a value has; one that is not there is a bare dash."""
    return pc.if_else(pc.equal(texts, "-"), texts, pc.utf8_slice_codeunits(texts, 1, -1))


def quotes_are_doubled(texts: pa.StringArray) -> pa.StringArray:
    """Undo what CSV (RFC 4180) does to quotes in a quoted field."""
    if not _may_hold(texts, '"'):
        return texts
    return pc.replace_substring(texts, pattern='""', replacement='"')


def http_version(texts: pa.StringArray) -> pa.StringArray:
    """Write a bare version (``1.1``, ``2.0.0.0``) as the protocol that it is of."""
    return decode_each(lambda text: _VERSION.sub(r"HTTP/\1", text), texts)


def percent_decoded(texts: pa.StringArray) -> pa.StringArray:
    """Undo URL encoding (RFC 1738)."""
    return decode_each(unquote, texts)


def form_decoded(texts: pa.StringArray) -> pa.StringArray:
    """Undo URL encoding; where ``(`` or ``/`` is encoded too, ``+`` is a space."""
    return decode_each(_decode_form, texts)


def twice_decoded(texts: pa.StringArray) -> pa.StringArray:
    """Undo URL encoding, once more where the spaces are still encoded."""
    return decode_each(_decode_twice, texts)


def hex_decoded(texts: pa.StringArray) -> pa.StringArray:
    r"""Undo ``\x09`` and its like, which stand for bytes of UTF-8."""
    return decode_each(_decode_hex, texts) if _may_hold(texts, "\\") else texts


def decode_where(pattern: str, decoder: Decoder, texts: pa.StringArray) -> pa.StringArray:
    """Make values of those texts that match; the others stay as they are."""
    is_one = pc.match_substring_regex(texts, pattern).fill_null(False)
    if not pc.any(is_one).as_py():
        return texts
    return pc.replace_with_mask(texts, is_one, decoder(texts.filter(is_one)))


def _may_hold(texts: pa.StringArray, character: str) -> bool:
    """Whether an ASCII character is in the memory of texts, which slices share."""
    data = texts.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == ord(character)).any())


def _decode_form(text: str) -> str:
    return unquote_plus(text) if "%2F" in text or "%28" in text else unquote(text)


def _decode_twice(text: str) -> str:
    once = unquote(text)
    return unquote(once) if "%20" in once and " " not in once else once


def _decode_hex(text: str) -> str:
    data = _HEX.sub(lambda found: chr(int(found[1], 16)), text.encode().decode("latin-1"))
    return data.encode("latin-1").decode(errors="replace")


def decode_each(function: Callable[[str], str], texts: pa.StringArray) -> pa.StringArray:
    """Call a function once for each distinct text."""
    coded = texts.dictionary_encode()
    values = [function(text) for text in coded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(coded.indices)
