"""A Redis server in the test's event loop: it uses the loop's clock, and fails on demand.

Over real TCP it implements the part of the protocol that redis-py needs to run a script, and runs the
script in the same Lua version as Redis. `nox -s redis` tests the script on a real Redis.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from lua import new_lua
from virtual_time import pass_time

EPOCH = 1_750_000_000  # Unix seconds at the loop's 0
SILENCE = b""
HANG_UP = b"\0"


class RedisServer:
    """Serves on a free port: `async with RedisServer() as server:`. `stop` and `start` keep the port.

    Args:
        password: required from clients.
    """

    def __init__(self, password: str | None = None) -> None:
        self.password = password
        self.port = 0
        self.clock_is_off = 0.0
        self.hashes: dict[str, dict[str, str]] = {}
        self.expire_at: dict[str, float] = {}
        self.scripts: dict[str, str] = {}
        self.scripts_run: list[list[str]] = []
        self.connections = 0
        self.latency = 0.0
        self.fault: bytes | None = None
        """The answer to a script in place of its result: an error line, `SILENCE` or `HANG_UP`."""
        self._conversations: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._lua = new_lua(self._called)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
        self.release()

    @property
    def url(self) -> str:
        """The URL, with the password."""
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}127.0.0.1:{self.port}/0"

    @property
    def open_connections(self) -> int:
        """The number of connections that neither side has closed."""
        return len(self._conversations)

    async def start(self) -> None:
        """Serves; after `stop` on the same port, which stays reserved meanwhile."""
        if self._reserved is None:
            self._reserved = socket.socket()
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._reserved.bind(("127.0.0.1", 0))
            self.port = self._reserved.getsockname()[1]
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, reuse_port=True
        )

    async def stop(self) -> None:
        """Refuses connections and drops the open ones; keeps all data."""
        if self._server is not None:
            self._server.close()
            for conversation in self._conversations:
                conversation.cancel()
            await asyncio.gather(*self._conversations, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None
        self._lua.close()

    def release(self) -> None:
        """Releases the port."""
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def lose_everything(self) -> None:
        """Deletes all data, like a restart without persistence."""
        self.hashes.clear()
        self.scripts.clear()

    def now(self) -> float:
        """The server's own time, in Unix seconds."""
        return EPOCH + asyncio.get_running_loop().time() + self.clock_is_off

    def run_script(self, script: str, keys: list[str], arguments: list[str]) -> Any:
        """Runs a script and returns its result."""
        return self._lua.run(script, keys, arguments)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        conversation = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_known = self.password is None
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    name, *arguments = await self._read(reader)
                    if "AUTH" in (name.upper(), *arguments[1:2]):
                        is_known = arguments[-1] == self.password
                    answer = self._answer(name.upper(), arguments, is_known=is_known)
                    if answer == HANG_UP:
                        return
                    if self.latency:
                        await pass_time(self.latency)
                    writer.write(answer)
                    await writer.drain()
        finally:
            writer.close()

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> list[str]:
        count = int((await reader.readuntil(b"\r\n"))[1:])
        words = []
        for _ in range(count):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            words.append((await reader.readexactly(size + 2))[:-2].decode())
        return words

    def _answer(self, name: str, arguments: list[str], *, is_known: bool) -> bytes:
        if name == "AUTH":
            return b"+OK\r\n" if is_known else b"-WRONGPASS invalid username-password pair\r\n"
        if not is_known:
            # Like some servers, repeat the arguments in the error.
            return f"-NOAUTH Authentication required, not {arguments}\r\n".encode()
        if name == "HELLO":
            return b"%1\r\n$5\r\nproto\r\n:3\r\n"
        if name in ("EVAL", "EVALSHA"):
            return self._eval(name, arguments)
        if name in ("CLIENT", "SELECT"):
            return b"+OK\r\n"
        return b"-ERR unknown command\r\n"

    def _eval(self, name: str, arguments: list[str]) -> bytes:
        script, count, *rest = arguments
        if self.fault is not None:
            return self.fault
        if name == "EVAL":
            digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
            self.scripts[digest] = script
        elif script not in self.scripts:
            return b"-NOSCRIPT No matching script. Please use EVAL.\r\n"
        script = script if name == "EVAL" else self.scripts[script]
        keys, values = rest[: int(count)], rest[int(count) :]
        self.scripts_run.append(values)
        return _encode(self.run_script(script, keys, values))

    def _called(self, command: str, *arguments: Any) -> Any:
        """`redis.call`, with the commands that the script uses."""
        commands: dict[str, Callable[..., Any]] = {
            "TIME": self._time,
            "HMGET": self._hmget,
            "HSET": self._hset,
            "PEXPIRE": self._pexpire,
        }
        return commands[command](*arguments)

    def _time(self) -> Any:
        microseconds = round(self.now() * 1_000_000)
        return list(map(str, divmod(microseconds, 1_000_000)))

    def _hmget(self, key: str, *fields: str) -> Any:
        if self.expire_at.get(key, float("inf")) <= self.now():
            del self.hashes[key], self.expire_at[key]
        return [self.hashes.get(key, {}).get(field, False) for field in fields]

    def _hset(self, key: str, *pairs: str) -> int:
        self.hashes.setdefault(key, {}).update(zip(pairs[::2], pairs[1::2], strict=True))
        return 1

    def _pexpire(self, key: str, milliseconds: str) -> int:
        self.expire_at[key] = self.now() + int(milliseconds) / 1000
        return 1


def _encode(numbers: list[float]) -> bytes:
    """Encodes Lua's numbers as integers, like Redis."""
    lines = [f"*{len(numbers)}", *(f":{int(number)}" for number in numbers)]
    return "".join(f"{line}\r\n" for line in lines).encode()
