"""What a client's text is: an address without its port, a host's name, or none.

Sources: RFC 1123, section 2.1 (names of hosts; underscores, which Windows and Docker write, are
taken too), RFC 4291, section 2.2, and RFC 4007, section 11 (addresses and their zones).
"""

import re
import socket
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.numbers import compiled_for
from pipeline.proxies import NO_PEER, SOCKET

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"
"""An address of version 4, to Python and to RE2."""

_GROUP = "[1-9a-f][0-9a-f]{0,3}"
_GROUPS_BEHIND = [f"{_GROUP}(?::{_GROUP}){{0,{5 - before}}}" for before in range(1, 6)]
"""What may follow ``::`` behind so many groups, which then stands for two zeros or more."""
_PLAIN_IPV6 = "|".join(
    [
        f"(?:{_GROUP}:){{7}}{_GROUP}", f"(?:{_GROUP}:){{6}}:",
        *(f"(?:{_GROUP}:){{{n}}}:(?:{behind})?" for n, behind in enumerate(_GROUPS_BEHIND, 1)),
    ]
)  # fmt: skip
"""An address of version 6 as RFC 5952 writes it, one without other zeros."""

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# The last label of a name is not all digits, or it could not be told from an address.
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_IPV4 = re.compile(IPV4)
_IPV6 = re.compile(r"(?P<address>[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)(?:%[\w.~-]{1,64})?", re.ASCII)
_WITH_PORT = re.compile(r"(?P<before>.*):[0-9]{1,5}", re.DOTALL)
_BRACKETED = re.compile(r"\[(?P<inner>[^\[\]]*)\]", re.DOTALL)
_QUOTED = re.compile('"(?P<inner>[^"]*)"', re.DOTALL)
_PORT_BEHIND = rf"^(\[[^\[\]]*\]|{IPV4[1:-1]}):[0-9]{{1,5}}$"
"""A port that every line may have another of: dropped from all lines at once."""
_MOST_CHARACTERS = 512
_WORD = re.compile(r"[^\s,;\"'()]+")


def read_client(text: str) -> str | None:
    """The client that a text names, without its port; None when it names none.

    ``203.0.113.9:51234``, ``[2001:db8::9]:51234`` and ``"[203.0.113.9]"`` name an address; where
    an address of version 6 could end in what looks like a port, all of it is the address. What no
    server knows an address of is a client as it is written: ``-`` and a socket (``unix:``).
    """
    return _read(text) if len(text) <= _MOST_CHARACTERS else None


@lru_cache(maxsize=50_000)
def _read(text: str) -> str | None:
    if quoted := _QUOTED.fullmatch(text):
        text = quoted["inner"]
    if is_address(text) or _NAME.fullmatch(text) or text == NO_PEER or SOCKET.fullmatch(text):
        return text
    port = _WITH_PORT.fullmatch(text)
    before = port["before"] if port else text
    if bracketed := _BRACKETED.fullmatch(before):
        return bracketed["inner"] if is_address(bracketed["inner"]) else None
    return before if is_address(before) or _NAME.fullmatch(before) else None


def is_address(text: str) -> bool:
    """Whether it is an IPv4 address or one of version 6, perhaps with a zone, and no more."""
    if _IPV4.fullmatch(text):
        return True
    found = _IPV6.fullmatch(text)
    if not found:
        return False
    try:
        socket.inet_pton(socket.AF_INET6, found["address"])
    except OSError:
        return False
    return True


def read_clients(coded: pa.DictionaryArray) -> tuple[pa.DictionaryArray, npt.NDArray[np.bool_]]:
    """``read_client`` of n texts, and of which of them there is one; work is done once a value.

    Of the others the text stays as it was.
    """
    values = coded.dictionary
    is_other = ~are_ipv4(values)
    is_other[is_other] = ~are_plain_ipv6(values.filter(pa.array(is_other)))
    is_other = pa.array(is_other)
    others = values.filter(is_other)
    if not len(others):
        return coded, np.ones(len(coded), np.bool_)
    bare = pc.replace_substring_regex(others, _PORT_BEHIND, r"\1").dictionary_encode()
    read = pa.array([read_client(text) for text in bare.dictionary.to_pylist()], pa.string())
    clients = read.take(bare.indices)
    is_one = np.ones(len(values), np.bool_)
    is_one[is_other.to_numpy(zero_copy_only=False)] = clients.is_valid()
    values = pc.replace_with_mask(values, is_other, pc.coalesce(clients, others))
    valid: npt.NDArray[np.bool_] = is_one[coded.indices.to_numpy()]
    return recoded(coded, values), valid


def recoded(coded: pa.DictionaryArray, values: pa.StringArray) -> pa.DictionaryArray:
    """Replace the dictionary's values; equal values share one code again."""
    if values.equals(coded.dictionary):
        return coded
    again = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(again.indices.take(coded.indices), again.dictionary)


def are_ipv4(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which of n texts are addresses of version 4; null is none."""
    compiled = compiled_for()
    flags: npt.NDArray[np.bool_]
    if compiled is None:
        is_one = pc.match_substring_regex(texts, IPV4).fill_null(False)
        flags = is_one.to_numpy(zero_copy_only=False)
    else:
        flags = compiled.find_ipv4(texts)
        if texts.null_count:
            flags &= texts.is_valid().to_numpy(zero_copy_only=False)
    return flags


def are_plain_ipv6(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which of n texts are addresses of version 6 that are canonical: nearly all that are one."""
    is_one = pc.match_substring_regex(texts, f"^(?:{_PLAIN_IPV6})$").fill_null(False)
    flags: npt.NDArray[np.bool_] = is_one.to_numpy(zero_copy_only=False)
    return flags


def are_addresses(clients: pa.DictionaryArray) -> npt.NDArray[np.bool_]:
    """Which of n clients, as ``read_clients`` gives them, are addresses."""
    of_value = are_ipv4(clients.dictionary)
    others = clients.dictionary.filter(pa.array(~of_value))
    is_socket = pc.match_substring_regex(others, "^(?:unix:|@)")
    is_ipv6 = pc.and_not(pc.match_substring(others, ":"), is_socket)
    of_value[~of_value] = is_ipv6.to_numpy(zero_copy_only=False)
    flags: npt.NDArray[np.bool_] = of_value[clients.indices.to_numpy()]
    return flags


def follow_a_name(betweens: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which of n texts between a host's name and the time are an identity and a user.

    A sentence is none, nor is anything with an address: ``message repeated 2 times: [ 203...`` and
    ``www.example.com 203.0.113.9 - -`` begin with a name that is no client.
    """
    coded = betweens.dictionary_encode()
    fits = [follows_a_name(text) for text in coded.dictionary.to_pylist()]
    flags: npt.NDArray[np.bool_] = np.array(fits, np.bool_)[coded.indices.to_numpy()]
    return flags


def follows_a_name(between: str) -> bool:
    """The same of one text: a dash and a user, or two words, neither with an address."""
    identity, _, user = between.partition(" ")
    return (identity == "-" or " " not in user) and not holds_address(between)


def holds_address(text: str) -> bool:
    """Whether a word of a text is an address, with or without brackets and a port."""
    return any(map(_is_node, _WORD.findall(text)))


def are_all_addresses(text: str) -> bool:
    """Whether all words of a text are, and there is one."""
    words = _WORD.findall(text)
    return bool(words) and all(map(_is_node, words))


def _is_node(word: str) -> bool:
    client = read_client(word.rstrip(":"))
    return client is not None and is_address(client)
