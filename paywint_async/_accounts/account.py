"""An account to export, with references to its credentials: immutable values that can be pickled."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import attrs

from paywint_async._config import Environment, check_base_url, check_environment
from paywint_async._errors import ConfigurationError
from paywint_async._models import Direction

# A secret that is passed by mistake matches none of these patterns.
_FORMS = {
    "env": (re.compile(r"[A-Z_][A-Z0-9_]*"), "the name of an environment variable, in capitals"),
    "file": (re.compile(r"/[^\0]*"), "the absolute path of a file"),
    "call": (re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"), "a function as 'package.module:name'"),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIRECTIONS = (*(each.value for each in Direction), "both")


@attrs.frozen
class SecretRef:
    """A reference to a key or a secret; made by `env`, `file` or `call`.

    It is resolved on the worker, when the account's client is made. Tasks, their keys, logs and errors
    contain the reference only, never the secret.
    """

    kind: Literal["env", "file", "call"]
    where: str
    argument: str | None = None

    def __attrs_post_init__(self) -> None:
        form, meaning = _FORMS[self.kind]
        if not _fits(form, self.where):
            raise ConfigurationError(f"SecretRef.{self.kind} takes {meaning}, never the secret")

    @classmethod
    def env(cls, name: str) -> SecretRef:
        """The value of an environment variable of the worker; its name is in capitals."""
        return cls("env", name)

    @classmethod
    def file(cls, path: str) -> SecretRef:
        """The text of a file on the worker, without the line end; the path is absolute."""
        return cls("file", path)

    @classmethod
    def call(cls, function: str, argument: str | None = None) -> SecretRef:
        """The return value of a function on the worker, such as one that asks a vault.

        Args:
            function: ``package.module:name``, importable there.
            argument: passed to it; None: it takes none. It is sent to the worker,
                so it must not be a secret.
        """
        return cls("call", function, argument)

    def __str__(self) -> str:
        return f"{self.kind} {self.where}"

    def resolve(self) -> str:
        """Returns the secret.

        Raises:
            ConfigurationError: there is none. The error never contains what a file or function returned.
        """
        readers: dict[str, Callable[[], object]] = {
            "env": lambda: os.environ[self.where],
            "file": lambda: Path(self.where).read_text("utf-8").strip("\r\n"),
            "call": self._call,
        }
        # No local variable holds the value and no error has a context: tracebacks would show both.
        try:
            return _text(readers[self.kind]())
        except Exception as error:
            problem = type(error).__name__
        raise ConfigurationError(f"there is no secret at {self} on this worker ({problem})")

    def _call(self) -> object:
        module, _, name = self.where.partition(":")
        function = getattr(importlib.import_module(module), name)
        return function() if self.argument is None else function(self.argument)


def _fits(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise TypeError


@attrs.frozen(init=False, kw_only=True)
class Account:
    """One of the accounts that `export_accounts` exports.

    Args:
        name: part of the name of its output: letters, digits, ``.``, ``_`` and ``-``, at most 100.
        api_key: where its key is found.
        api_secret: where its secret is found.
        environment: sandbox or production.
        base_url: instead of the environment's.
        direction: ``sent``, ``received``, or ``both``, merged newest first.

    Raises:
        ConfigurationError: an argument cannot be used, such as a secret in place of a `SecretRef`.
    """

    name: str
    api_key: SecretRef
    api_secret: SecretRef
    environment: Environment
    base_url: str | None
    direction: str

    def __init__(
        self,
        name: str,
        *,
        api_key: SecretRef,
        api_secret: SecretRef,
        environment: Environment | str = Environment.SANDBOX,
        base_url: str | None = None,
        direction: str = "both",
    ) -> None:
        key, secret = _reference(api_key), _reference(api_secret)
        del api_key, api_secret  # a traceback shows the locals of its frames
        if not _fits(_NAME, name):
            raise ConfigurationError(
                f"an account's name has letters, digits, '.', '_' and '-', at most 100, not {name!r}"
            )
        if isinstance(key, str) or isinstance(secret, str):
            field, kind = ("api_key", key) if isinstance(key, str) else ("api_secret", secret)
            raise ConfigurationError(
                f"{field} of account {name} must be a SecretRef, such as SecretRef.env('NAME'), and "
                f"never the value itself (here a {kind})"
            )
        if direction not in _DIRECTIONS:
            raise ConfigurationError(f"direction must be sent, received or both, not {direction!r}")
        values = {
            "name": name,
            "api_key": key,
            "api_secret": secret,
            "environment": check_environment(environment),
            "base_url": None if base_url is None else check_base_url(base_url),
            "direction": direction,
        }
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        return f"Account({getattr(self, 'name', None)!r})"  # None: `__init__` raised

    @property
    def directions(self) -> list[Direction]:
        """The directions in which payments are exported."""
        return [each for each in Direction if self.direction in (each, "both")]


def _reference(value: object) -> SecretRef | str:
    """The reference; for anything else only the name of its type, which cannot be a secret."""
    return value if isinstance(value, SecretRef) else type(value).__name__
