"""Real servers on loopback that serve a folder: HTTP with passwords, SFTP, and an S3 server."""

import base64
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "reader", "s3cr3t-of-the-store"
READY = "ready"
"""A bucket that an S3 server has when it is."""
S3_SERVER = Path(sys.executable).with_name("weed")


class WebServer(ThreadingHTTPServer):
    """Serves a folder with its listing; counts what was sent whole."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        """Listen on a free port of the loopback interface."""
        super().__init__(("127.0.0.1", 0), partial(_WebHandler, directory=str(folder)))
        self.sent: list[str] = []
        self.cut: set[str] = set()
        """Names of files that are cut off after half their bytes."""
        self.password: str | None = None

    def url(self, path: str, userinfo: str = "") -> str:
        """Return the address of a path, maybe with a name and a password."""
        return f"http://{userinfo}127.0.0.1:{self.server_port}/{path}"


class _WebHandler(SimpleHTTPRequestHandler):
    server: WebServer

    def send_head(self) -> Any:
        wanted = self.server.password
        given = (self.headers["Authorization"] or "").removeprefix("Basic ")
        if wanted and base64.b64decode(given) != f"{USER}:{wanted}".encode():
            self.send_error(401)
            return None
        return super().send_head()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        content = source.read()
        if name := self.path.partition("?")[0].rpartition("/")[2]:
            self.server.sent.append(name)
        is_cut = self.path.rpartition("/")[2] in self.server.cut
        outputfile.write(content[: len(content) // 2] if is_cut else content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server(folder: Path, certificate: Path | None = None) -> Iterator[WebServer]:
    """Serve `folder` over HTTP; over TLS with a file of a certificate and its key."""
    with WebServer(folder) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def write_certificate(path: Path) -> None:
    """Write a certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, pkcs8, plain))


S3_USERS = {
    "identities": [
        {
            "name": "reader",
            "credentials": [{"accessKey": "reader", "secretKey": PASSWORD}],
            "actions": ["Admin", "Read", "List", "Write"],
        },
        {
            "name": "looker",
            "credentials": [{"accessKey": "looker", "secretKey": PASSWORD}],
            "actions": ["Read", "List"],
        },
    ]
}


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run an S3 server that keeps its data in `folder`; yields its address."""
    (folder / "s3.json").write_text(json.dumps(S3_USERS))
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (folder / "log").open("wb") as log:
        for number in range(5):  # it takes more ports than it is given, which others may have
            port, master, volume, filer = (free_port() for _ in range(4))
            data = folder / str(number)
            data.mkdir()
            command = [
                S3_SERVER, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}",
                f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}",
                "-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}",
                "-s3.port.iceberg=0", "-s3.port.lance=0",  # else on fixed ports
                # Room for more than one bucket, on a full disk, too.
                "-volume.max=100", "-master.volumeSizeLimitMB=64", "-volume.minFreeSpace=1MiB",
                "-master.telemetry=false",
            ]  # fmt: skip
            process = subprocess.Popen(command, env=clean, stdout=log, stderr=log)
            address = f"http://127.0.0.1:{port}"
            try:
                if _is_ready(address, process):
                    yield address
                    return
            finally:
                process.kill()  # its data goes with the test
                process.wait()
    raise TimeoutError((folder / "log").read_text()[-2000:])


def _is_ready(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until it stores an object: it listens before all its parts do their work."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=address, region_name="us-east-1",
        aws_access_key_id="reader", aws_secret_access_key=PASSWORD,
        config=Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0}),
    )  # fmt: skip
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with suppress(BotoCoreError, ClientError):
            client.create_bucket(Bucket=READY)
        with suppress(BotoCoreError, ClientError):
            client.put_object(Bucket=READY, Key="x", Body=b"x")
            return True
        time.sleep(0.2)
    return False


def free_port() -> int:
    """Return a port that nobody listens on, and that the kernel gives to nobody who asks for any.

    Those it gives begin at 32,768; so one that is taken late is still free, and so is the one
    10,000 above it, which the S3 server takes too.
    """
    chance = random.SystemRandom()  # a test's seed would give two processes the same
    while True:
        port = chance.randrange(10_000, 22_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def sftp_server(folder: Path) -> Iterator[tuple[int, str]]:  # noqa: C901 three small classes, which need the package
    """Serve `folder` by SFTP; yields the port and the line for known_hosts."""
    import paramiko

    class Login(paramiko.ServerInterface):
        def check_auth_password(self, username: str, password: str) -> int:
            is_right = (username, password) == (USER, PASSWORD)
            return paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED

        def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
            return paramiko.OPEN_SUCCEEDED

    class Files(paramiko.SFTPServerInterface):
        def list_folder(self, path: str) -> Any:
            there = folder / path.lstrip("/")
            if not there.is_dir():
                return paramiko.SFTP_NO_SUCH_FILE
            return [self._look(entry) for entry in sorted(there.iterdir())]

        def _look(self, path: Path) -> Any:
            return paramiko.SFTPAttributes.from_stat(path.stat(), path.name)

        def stat(self, path: str) -> Any:
            there = folder / path.lstrip("/")
            return self._look(there) if there.exists() else paramiko.SFTP_NO_SUCH_FILE

        lstat = stat

        def open(self, path: str, flags: int, attr: Any) -> Any:  # noqa: ARG002
            handle = paramiko.SFTPHandle(flags)
            handle.readfile = (folder / path.lstrip("/")).open("rb")
            return handle

    key = paramiko.RSAKey.generate(2048)
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[Any] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listener.accept()[0])
                transports.append(transport)
                transport.add_server_key(key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
                transport.start_server(server=Login())

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    try:
        yield port, f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"
    finally:
        listener.close()
        for transport in transports:
            transport.close()
