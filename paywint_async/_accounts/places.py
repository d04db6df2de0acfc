"""The output of each account; two accounts never share one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote

from paywint_async._errors import ConfigurationError
from paywint_async.export import DESTINATIONS, find_destination
from paywint_async.export._passwords import has_password

_ACCOUNT = "{account}"
_URL = re.compile(r"[a-z][a-z0-9+]+:(?=/)", re.IGNORECASE)
_RELATIVE_FILE = re.compile(r"(sqlite:///)(?!/)(.*)", re.IGNORECASE)
# A directory cannot have such a name.
_FILES = (
    *(ending for kind in DESTINATIONS for ending in kind.endings if ending != "/"),
    *(".gz", ".zst", ".db", ".sqlite"),
)


def places(destination: object, names: Iterable[str]) -> dict[str, str]:
    """The output of each account, by its name.

    Args:
        destination: a path or database URL with ``{account}`` in it, or a directory, which stands for
            ``DIRECTORY/{account}.jsonl``. Relative paths are resolved here, not on the worker.
        names: the names of the accounts.

    Raises:
        ConfigurationError: no destination has such an ending or scheme, or two accounts would share
            a file.
    """
    template = _template(destination)
    kind = find_destination(template.replace(_ACCOUNT, "account"))
    companions = ("", ".ranges", *kind.companions)  # beside a directory, not inside it
    outputs: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        output = template.replace(_ACCOUNT, name)
        for companion in companions:  # a file system may ignore case
            owner = owners.setdefault(f"{output.rstrip('/')}{companion}".casefold(), name)
            if owner != name or name in outputs:
                raise ConfigurationError(
                    f"accounts {owner} and {name} would share {_shown(output)}"
                )
        outputs[name] = output
    for output in outputs.values():
        find_destination(output)
    return outputs


def staging_of(output: str) -> str | None:
    """The directory beside an output for its ranges; None: the output is not a file."""
    if not _URL.match(output):
        return f"{output.rstrip('/')}.ranges"
    scheme, _, path = output.partition("://")
    path = unquote(path.partition("?")[0])  # as the database is opened
    return f"{path[1:]}.ranges" if scheme.lower() == "sqlite" and path.startswith("//") else None


def folder_of(output: str) -> str:
    """The directory that must exist before an output is opened; for a server any existing one."""
    return os.path.dirname(staging_of(output) or "./")


def _template(destination: object) -> str:
    text = os.fspath(destination) if isinstance(destination, str | os.PathLike) else ""
    if isinstance(text, str) and has_password(text):
        raise ConfigurationError(
            "a destination must not have a password, since it is sent to the workers: set "
            "PGPASSWORD or a .pgpass file on the workers"
        )
    if not isinstance(text, str) or not text or "\0" in text:
        raise ConfigurationError(f"destination must be a path or a URL, not {destination!r}")
    if _URL.match(text):
        return _checked_url(text)
    is_folder = _ACCOUNT not in text
    if is_folder and text.lower().endswith(_FILES):
        raise ConfigurationError(
            f"each account needs a file of its own: put {_ACCOUNT} into {text}"
        )
    slash = "/" if text.endswith("/") and not is_folder else ""
    return os.path.abspath(f"{text}/{_ACCOUNT}.jsonl" if is_folder else text) + slash


def _checked_url(url: str) -> str:
    if _ACCOUNT not in url:
        raise ConfigurationError(
            f"each account needs a database of its own: put {_ACCOUNT} into {_shown(url)}"
        )
    if relative := _RELATIVE_FILE.match(url):
        here = os.getcwd().replace("%", "%25").replace("?", "%3F")  # the rest is as a URL has it
        return f"{relative[1]}{os.path.normpath(os.path.join(here, relative[2]))}"
    return url


def _shown(output: str) -> str:
    """The output for a message: of a URL, which may have secrets, the scheme alone."""
    return f"{url[0]}//…" if (url := _URL.match(output)) else output
