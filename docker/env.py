"""Writes ``.env`` for docker compose with new secrets, and refuses secrets that are not.

    python3 docker/env.py          write .env into this folder, for its owner alone
    python3 docker/env.py check    the stack's first step: weak secrets, unusable folders

Needs Python's own library only, because it runs before anything is installed. It shows no value.
"""

import base64
import os
import re
import secrets
import sys
from pathlib import Path

TEMPLATE = """\
# For docker compose. Keep a copy of this file: without TIDEGAUGE_VISITOR_KEY the lake can't be
# added to, without POSTGRES_PASSWORD and the Fernet key Airflow's database can't be opened.
POSTGRES_PASSWORD={password}
ADMIN_PASSWORD={admin}
AIRFLOW__CORE__FERNET_KEY={fernet}
AIRFLOW__API_AUTH__JWT_SECRET={jwt}
AIRFLOW__API__SECRET_KEY={api}
TIDEGAUGE_VISITOR_KEY={visitor}
S3_SECRET_KEY={s3}

# The folder of raw logs on this machine. It is mounted read-only.
RAW_DIR=./raw
# Any other setting of tidegauge, for example:
#TIDEGAUGE_TIMEZONE=America/Toronto
# Tables [[source]], here as JSON; with s3:// AWS_ACCESS_KEY_ID and the others of AWS, too.
#TIDEGAUGE_SOURCE='[{{"name": "web01", "url": "s3://logs/web01-{{day:%Y%m%d}}*.gz"}}]'

# Where the web page listens.
#BIND=127.0.0.1
#PORT=8080

# To outgrow one scheduler's machine: Redis and two Celery workers.
#EXECUTOR=CeleryExecutor
# To outgrow this machine's disk and cores: an S3 server for the lake, and a Spark cluster.
#LAKE=s3://tidegauge/site
# With MaxMind's geoipupdate: COMPOSE_PROFILES=geo,${{EXECUTOR:+workers}},${{LAKE:+scale}}
COMPOSE_PROFILES=${{EXECUTOR:+workers}},${{LAKE:+scale}}
#GEOIPUPDATE_ACCOUNT_ID=
#GEOIPUPDATE_LICENSE_KEY=
"""

LATER = {"S3_SECRET_KEY"}
"""What earlier files don't have, and only a profile needs."""
SECRETS = re.findall(r"^(\w+)=\{", TEMPLATE, re.MULTILINE)
PLACEHOLDERS = ("changeme", "change-me", "change_me", "password", "secret", "example", "airflow")
SHORTEST = 16  # characters
_READ, _WRITE = ("read", os.R_OK | os.X_OK), ("write", os.W_OK | os.X_OK)
FOLDERS = {"/data/raw": _READ, "/data/lake": _WRITE, "/data/geo": _WRITE, "/data/report": _WRITE}


def write(path: Path) -> None:
    """Write new secrets to ``path``, mode 600, and make ``raw`` beside it.

    A file that is there already is kept, and refused.
    """
    text = TEMPLATE.format(
        password=secrets.token_urlsafe(24),
        admin=secrets.token_urlsafe(12),
        fernet=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        jwt=secrets.token_urlsafe(48),
        api=secrets.token_urlsafe(32),
        visitor=secrets.token_hex(32),
        s3=secrets.token_urlsafe(32),
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{path} is there already and is kept: its secrets open what the volumes hold")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    path.with_name("raw").mkdir(exist_ok=True)  # compose mounts it and does not make it


def weakness(name: str, value: str) -> str | None:
    """Say what is wrong with a secret, or None. The value is never part of it."""
    if len(value) < SHORTEST:
        return f"shorter than {SHORTEST} characters"
    if any(word in value.lower() for word in PLACEHOLDERS):
        return "a placeholder that everybody knows"
    if name == "AIRFLOW__CORE__FERNET_KEY" and not _is_fernet_key(value):
        return "not a Fernet key, which is 32 bytes in URL-safe base64"
    is_plain = re.fullmatch(r"[A-Za-z0-9_.~-]+", value)
    if name in {"POSTGRES_PASSWORD", "ADMIN_PASSWORD", "S3_SECRET_KEY"} and not is_plain:
        return "more than letters, digits, - _ . ~ (it becomes part of a URL or of JSON)"
    return None


def _is_fernet_key(value: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(value)) == 32
    except ValueError:
        return False


def check() -> None:
    """Exit with a sentence for each weak secret and each folder that tasks could not use."""
    problems = [
        f"{name} in .env is {wrong}; move .env away and run `make secrets`"
        for name in SECRETS
        if (name in os.environ or name not in LATER)
        and (wrong := weakness(name, os.environ.get(name, "")))
    ]
    problems += [
        f"{folder}: uid {os.getuid()} may not {verb} it; change its owner or its mode"
        for folder, (verb, mode) in FOLDERS.items()
        if not os.access(folder, mode)
    ]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check()
    elif not sys.argv[1:]:
        write(Path(".env"))
    else:
        sys.exit(__doc__)
