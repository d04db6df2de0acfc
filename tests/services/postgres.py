"""Runs a command with a temporary PostgreSQL server: `python postgres.py COMMAND ...`.

The command finds the server's URL in PAYWINT_TEST_POSTGRES. The server listens on a free loopback
port, has its data in a temporary folder, and ends with the command. PostgreSQL refuses to run as root,
so root starts it as the user `postgres` of Debian's package.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"
PASSWORD = "s3cret-of-the-server"
SECONDS = 60  # the longest time to start or stop
DEBIAN = Path("/usr/lib/postgresql")


def program(name: str) -> str:
    """The path of a server program: Debian's newest version, else from PATH."""
    installed = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    found = [str(path) for path in reversed(installed)] or [shutil.which(name)]
    if found[0] is None:
        raise SystemExit(f"{name} is not installed: apt-get install postgresql")
    return found[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def run(*command: str) -> None:
    """Runs a command as the server's user, who is never root."""
    as_user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    subprocess.run([*as_user, *command], check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)


@contextmanager
def serving() -> Iterator[str]:
    """Runs a server; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="paywint-postgres-", dir="/tmp") as folder:
        data, secret = f"{folder}/data", Path(folder, "secret")
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, str(secret)):
                shutil.chown(path, USER)
        run(program("initdb"), "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}")
        port = free_port()
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        control = (program("pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log")
        run(*control, "-o", options, "start")
        try:
            yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run(*control, "-m", "immediate", "stop")


if __name__ == "__main__":
    with serving() as url:
        environment = os.environ | {"PAYWINT_TEST_POSTGRES": url}
        sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
