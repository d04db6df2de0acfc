"""Runs a real Redis on a free loopback port, which can be killed, restarted and paused."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
from types import TracebackType
from typing import Self

PASSWORD = "s3cret-of-the-redis"
SECONDS = 20  # the longest time to start or stop


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class RealRedis:
    """Serves in the block: `with RealRedis() as redis:`. Its data is lost whenever it ends.

    Args:
        is_cluster: whether it is a cluster of one node.
    """

    def __init__(self, *, is_cluster: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._is_cluster = is_cluster
        self._folder = tempfile.mkdtemp(prefix="paywint-redis-", dir="/tmp")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        if self._is_cluster:
            self.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            self._wait_for_log("Cluster state changed: ok")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Starts the server, and returns when it accepts connections."""
        program = shutil.which("redis-server")
        if program is None:
            raise SystemExit("redis-server is not installed: apt-get install redis-server")
        lines = [f"port {self.port}", "bind 127.0.0.1", 'save ""', f"requirepass {PASSWORD}"]
        lines += [f"dir {self._folder}"]
        lines += ["cluster-enabled yes"] if self._is_cluster else []
        pipe = subprocess.PIPE  # its log is too short to fill the pipe
        self._process = subprocess.Popen([program, "-"], stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdin
        self._process.stdin.write("\n".join(lines))
        self._process.stdin.close()
        self._wait_for_log("Ready to accept connections")

    def _wait_for_log(self, words: str) -> None:
        assert self._process
        assert self._process.stdout
        log = iter(self._process.stdout.readline, "")
        assert any(words in line for line in log), f"Redis ended before it logged: {words}"

    def kill(self) -> None:
        """Sends SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS)
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None

    def pause(self) -> None:
        """Stops answering; connections are still accepted."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continues after `pause`."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """Runs a command with redis-cli, and returns the answer."""
        command = ["redis-cli", "-p", str(self.port), "--no-auth-warning", "-a", PASSWORD, *words]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=SECONDS
        ).stdout
