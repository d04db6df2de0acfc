"""Runs Redis scripts in Lua 5.1, Redis's version: with the package lupa or the program `lua5.1`.

lupa has no wheel for some Pythons (such as 3.15), and without one needs a compiler.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, Protocol

try:
    from lupa.lua51 import LuaRuntime
except ImportError:
    LuaRuntime = None

Call = Callable[..., Sequence[str | bool] | int]
"""``redis.call``: a table's values (False is nil), or a number."""


class Lua(Protocol):
    def run(self, script: str, keys: Sequence[str], arguments: Sequence[str]) -> list[float]:
        """The numbers that the script returns."""
        ...

    def close(self) -> None: ...


def new_lua(call: Call) -> Lua:
    return LuaProgram(call) if LuaRuntime is None else LuaPackage(call)


class LuaPackage:
    def __init__(self, call: Call) -> None:
        self._lua = LuaRuntime()
        self._call = call
        self._lua.globals().redis = self._lua.table(call=self._called)

    def _called(self, *words: Any) -> Any:
        answer = self._call(*words)
        return answer if isinstance(answer, int) else self._lua.table(*answer)

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[str]) -> list[float]:
        variables = self._lua.globals()
        variables.KEYS, variables.ARGV = self._lua.table(*keys), self._lua.table(*arguments)
        return list(self._lua.execute(script).values())

    def close(self) -> None:
        """Does nothing: lupa runs in this process."""


# Both sides write a string as its length, a newline and the string; a list as its length and strings.
PROGRAM = """
local function write(text) io.write(#text, "\\n", text) end
local function read()
    local size = io.read("*l") or os.exit()
    return io.read(tonumber(size)) or ""
end
local function read_list()
    local list = {}
    for number = 1, tonumber(read()) do list[number] = read() end
    return list
end
local function write_list(list)
    write(tostring(#list))
    for _, each in ipairs(list) do
        write(type(each) == "number" and string.format("%.17g", each) or each)
    end
    io.flush()
end
redis = {call = function(...)
    write("call")
    write_list({...})
    local answer = read()
    if answer ~= "list" then return tonumber(answer) end
    local list = read_list()
    for number, each in ipairs(list) do
        if each == "nil" then list[number] = false else list[number] = each:sub(2) end
    end
    return list
end}
while true do
    local script = read()
    KEYS, ARGV = read_list(), read_list()
    local result = assert(loadstring(script))()
    write("result")
    write_list(result)
end
"""


class LuaProgram:
    """Runs each script in a `lua5.1` process that lasts until `close`."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self) -> subprocess.Popen[bytes]:
        program = shutil.which("lua5.1")
        if program is None:
            raise RuntimeError(
                "these tests need the package lupa, or lua5.1: apt-get install lua5.1"
            )
        pipe = subprocess.PIPE
        return subprocess.Popen([program, "-e", PROGRAM], stdin=pipe, stdout=pipe)

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[str]) -> list[float]:
        self._process = self._process or self._start()
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout
        self._write(script)
        self._write_list(keys)
        self._write_list(arguments)
        self._to.flush()
        while self._read() == "call":
            answer = self._call(*self._read_list())
            if isinstance(answer, int):
                self._write(str(answer))
            else:
                self._write("list")
                self._write_list([f"={each}" if each is not False else "nil" for each in answer])
            self._to.flush()
        return [float(number) for number in self._read_list()]

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=20)
            self._process = None

    def _write(self, text: str) -> None:
        data = text.encode()
        self._to.write(b"%d\n%b" % (len(data), data))

    def _write_list(self, texts: Sequence[str]) -> None:
        self._write(str(len(texts)))
        for text in texts:
            self._write(text)

    def _read(self) -> str:
        return self._from.read(int(self._from.readline())).decode()

    def _read_list(self) -> list[str]:
        return [self._read() for _ in range(int(self._read()))]
