"""Functions specific to POSIX are used in one module, which has a replacement for other systems."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import package_sources
import pytest
from package_sources import PACKAGE, syntax_of

PLATFORM = PACKAGE / "export" / "_posix.py"

# The Python documentation: "Availability: Unix" or "not Windows".
MODULES = {
    "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "select", "syslog", "termios", "tty",
}  # fmt: skip
ATTRIBUTES = {
    "os": {
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "fchmod", "fchown", "fork",
        "getgid", "getuid", "geteuid", "killpg", "mkfifo", "pread", "pwrite", "set_blocking", "setsid",
        "sysconf", "uname", "wait", "writev",
    },
    "signal": {"SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2", "pthread_sigmask"},
    "socket": {"AF_UNIX", "SO_REUSEPORT"},
}  # fmt: skip
METHODS = {"add_signal_handler"}  # of an event loop
FILES = [path for path in package_sources.FILES if path != PLATFORM]


def posix_only(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = {alias.name for alias in node.names}
            if node.module in MODULES or names & ATTRIBUTES.get(str(node.module), set()):
                yield ast.unparse(node)
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in METHODS or node.attr in ATTRIBUTES.get(owner, set()):
                yield ast.unparse(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_uses_nothing_specific_to_posix(path: Path) -> None:
    assert list(posix_only(syntax_of(path))) == []


def names_of(module: str) -> set[str]:
    """The functions and constants that a module defines for other modules."""
    names = set()
    for node in syntax_of(PACKAGE / "export" / f"{module}.py").body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def test_the_module_for_windows_has_the_same_names() -> None:
    assert names_of("_windows") == names_of("_posix") > {"lock", "move", "OPEN_FLAGS"}


def test_the_search_finds_what_the_posix_module_uses() -> None:
    """Proves that the search works."""
    found = set(posix_only(syntax_of(PLATFORM)))

    assert {"fcntl", "select", "os.O_NOFOLLOW", "os.fchmod", "os.pread"} <= found
