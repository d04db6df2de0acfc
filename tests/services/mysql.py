"""Runs a command with a temporary MariaDB server: `python mysql.py COMMAND ...`.

The command finds the server's URL in PAYWINT_TEST_MYSQL. The server listens on a free loopback port,
has its data in a temporary folder, and ends with the command. Root starts it as the user `mysql` of
Debian's package.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "mysql"
PASSWORD = "s3cret-of-the-server"
SECONDS = 60  # the longest time to start or stop
SERVERS = ("mariadbd", "mysqld")


def program(*names: str) -> str:
    """The path of the first of these programs; those for root are not always on PATH."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/usr/bin"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise SystemExit(f"{names[0]} is not installed: apt-get install mariadb-server")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving() -> Iterator[str]:
    """Runs a server; yields its URL."""
    as_user = [f"--user={USER}"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="paywint-mysql-", dir="/tmp") as folder:
        data, port = f"{folder}/data", free_port()
        setup = Path(folder, "setup.sql")
        setup.write_text(
            f"CREATE USER paywint@'%' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO paywint@'%' WITH GRANT OPTION;\n"
        )
        if os.geteuid() == 0:
            for path in (folder, str(setup)):
                shutil.chown(path, USER)
        install = [program("mariadb-install-db", "mysql_install_db"), "--no-defaults"]
        subprocess.run(
            [*install, f"--datadir={data}", "--auth-root-authentication-method=normal", *as_user],
            check=True,
            timeout=SECONDS,
            stdout=subprocess.DEVNULL,
        )
        options = [
            *("--no-defaults", f"--datadir={data}", f"--port={port}", f"--init-file={setup}"),
            *("--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--log-error={folder}/log"),
            *("--skip-name-resolve", f"--pid-file={folder}/pid"),
            "--innodb-flush-log-at-trx-commit=0",
        ]
        server = subprocess.Popen([program(*SERVERS), *options, *as_user])
        try:
            wait_for(server, port)
            yield f"mysql://paywint:{PASSWORD}@127.0.0.1:{port}/mysql"
        finally:
            server.terminate()
            server.wait(SECONDS)


def wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    """Returns when the server accepts connections."""
    deadline = time.monotonic() + SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server does not start")


if __name__ == "__main__":
    with serving() as url:
        environment = os.environ | {"PAYWINT_TEST_MYSQL": url}
        sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
