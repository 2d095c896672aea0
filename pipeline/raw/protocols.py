"""File systems of fsspec, one a protocol: each waits for a server so long, and keeps no listing."""

import base64
from pathlib import Path
from typing import Any

_WAIT_SECONDS = 60


class UnknownHostError(Exception):
    """An SFTP server's key is not the one in ``~/.ssh/known_hosts``."""


def open_http(user: str, password: str) -> Any:
    """Of web servers; without a user's name nobody logs in."""
    import aiohttp  # noqa: PLC0415 only who has such a source waits for the imports
    import fsspec  # noqa: PLC0415

    headers = {"Accept-Encoding": "identity"}
    if user:  # left out by the library when a redirect leads to another server
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    return fsspec.filesystem(
        "https",
        skip_instance_cache=True,
        use_listings_cache=False,
        client_kwargs={
            # Bytes as they are stored: a .gz stays one, whatever encoding the server says it is.
            "auto_decompress": False,
            "headers": headers,
            "timeout": aiohttp.ClientTimeout(None, sock_connect=20, sock_read=_WAIT_SECONDS),
            "trust_env": True,
        },
    )


def open_s3() -> Any:
    """Of the buckets of the environment's or ``~/.aws``' keys."""
    import fsspec  # noqa: PLC0415

    files = fsspec.filesystem(
        "s3",
        skip_instance_cache=True,
        use_listings_cache=False,
        config_kwargs={
            "connect_timeout": 10,
            "read_timeout": _WAIT_SECONDS,
            "retries": {"max_attempts": 1},
        },
    )
    files.retries = 2  # on top of the other: five would wait for a dead server for half an hour
    return files


def open_sftp(host: str, user: str, password: str) -> Any:
    """Of a server ``name`` or ``name:port`` whose key is known."""
    import fsspec  # noqa: PLC0415
    import paramiko  # noqa: PLC0415

    class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # fsspec trusts any key
        def missing_host_key(self, _client: Any, hostname: str, key: Any) -> None:
            known = Path("~/.ssh/known_hosts").expanduser()
            if not known.is_file() or not paramiko.HostKeys(str(known)).check(hostname, key):
                raise UnknownHostError

    name, _, port = host.partition(":")
    files = fsspec.filesystem(
        "sftp",
        skip_instance_cache=True,
        host=name,
        port=int(port or 22),
        username=user or None,
        password=password or None,
        timeout=20,
        banner_timeout=20,
        auth_timeout=20,
        host_key_policy=KnownHosts(),
    )
    files.ftp.get_channel().settimeout(_WAIT_SECONDS)
    return files
