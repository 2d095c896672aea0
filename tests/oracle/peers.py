"""Who connected, by the first word of a line: an address, a host's name, or nobody known."""

import ipaddress

LETTERS_AND_DIGITS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
INNER = LETTERS_AND_DIGITS | {"-", "_"}
DIGITS = frozenset("0123456789")
APART = str.maketrans(dict.fromkeys(",;\"'()", " "))


def client_of(word: str) -> str | None:
    """Return the client without brackets and port, or None when the word is none."""
    if is_client(word):
        return word
    before, colon, port = word.rpartition(":")
    if colon and 1 <= len(port) <= 5 and set(port) <= DIGITS:
        word = before
    if word.startswith("[") and word.endswith("]"):
        return word[1:-1] if is_address(word[1:-1]) else None
    return word if is_address(word) or is_name(word) else None


def is_client(word: str) -> bool:
    """Whether the word is a client as it stands; a dash and a socket are peers without address."""
    is_nobody = word in {"-", "unix"} or word.startswith(("unix:", "@"))
    return is_nobody or is_address(word) or is_name(word)


def is_address(word: str) -> bool:
    """Whether it is an IP address, of version 6 perhaps with a zone."""
    address, percent, zone = word.partition("%")
    is_zone = 1 <= len(zone) <= 64 and set(zone) <= INNER | {".", "~"}
    if percent and not (":" in address and is_zone):
        return False
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def is_name(word: str) -> bool:
    """Whether it is a host's name: labels of up to 63, the last of them no number."""
    labels = word.split(".")
    return len(word) <= 253 and all(map(is_label, labels)) and not set(labels[-1]) <= DIGITS


def is_label(label: str) -> bool:
    """Whether it is letters, digits, underscores and, inside, hyphens."""
    ends = label[:1] + label[-1:]
    return 1 <= len(label) <= 63 and set(label) <= INNER and "-" not in ends


def may_precede(client: str, ident: str, user: str) -> bool:
    """Whether identity and user can be those of a client: behind a name they are no sentence."""
    if is_address(client):
        return True
    words = f"{ident} {user}".translate(APART).split()
    peers = [client_of(word.rstrip(":")) for word in words]
    if any(peer is not None and is_address(peer) for peer in peers):
        return False
    return ident == "-" or " " not in user
