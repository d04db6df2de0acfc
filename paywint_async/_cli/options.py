"""The arguments that commands share; parsed strictly, since cyclopts accepts 1_000, 0x10 and 2.7."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter, Token

from paywint_async.export import (
    DESTINATIONS,
    Destination,
    Format,
    display_name,
    find_destination,
)
from paywint_async.export._compression import COMPRESSED_ENDINGS
from paywint_async.export._destination import CSV, UnknownEndingError
from paywint_async.export._passwords import has_password

_AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]{1,2})?")
_WHOLE = re.compile(r"[0-9]{1,12}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")


class UsageError(Exception):
    """A usage error; the message names the option."""


def checked_destination(argument: str) -> str:
    """Return the destination unchanged if it may be given on a command line.

    Raises:
        UsageError: it has a password, which every user of the machine could read.
    """
    if has_password(argument):
        raise UsageError(
            "other users of this machine can read a password on the command line: leave it out and "
            "set PGPASSWORD, or a .pgpass file, or the whole URL in PAYWINT_DESTINATION for 'sync'"
        )
    return argument


def find_kind(output: str, format: Format | None, checkpoint: str | None = None) -> Destination:
    """The kind of destination that an output's name or the format asks for.

    Raises:
        UsageError: a format or checkpoint is given, and the output is not a file.
        ConfigurationError: no destination has such a name.
    """
    try:
        found = find_destination(output, format)
    except UnknownEndingError as error:
        error.add_note("choose one of them, or use --format")
        raise
    for option, given in (("--format", format), ("--checkpoint", checkpoint)):
        if given and found.has_own_checkpoint:
            raise UsageError(f"{option} is for files: {display_name(output)} has its own")
    return found


def chosen_format(output: str, format: FormatName | None, spreadsheet: bool) -> Format | None:
    """Return the format that the options name, or None.

    Raises:
        UsageError: ``--spreadsheet``, and the output is not CSV.
    """
    named = None if format is None else Format(format)
    if not spreadsheet:
        return named
    is_named = output != "-" and "." in os.path.basename(output)
    kind = find_kind(output, named) if named or is_named else CSV
    if Format.SPREADSHEET not in kind.formats:
        raise UsageError(f"--spreadsheet is for CSV, and {display_name(output)} is {kind.name}")
    return Format.SPREADSHEET


def _destination_help(introduction: str) -> str:
    kinds = "; ".join(f"{each.examples[0]}: {each.description}" for each in DESTINATIONS)
    compressible = " and ".join(each.name for each in DESTINATIONS if each.is_compressible)
    endings = " or ".join(COMPRESSED_ENDINGS)
    return f"{introduction} {kinds}. {compressible} are compressed with the ending {endings}."


def _reader(
    form: re.Pattern[str], make: Callable[[str], Any], wanted: str, least: int = 0
) -> Callable[[Any, Sequence[Token]], Any]:
    def read(_type: Any, tokens: Sequence[Token]) -> Any:
        text = tokens[0].value
        if not form.fullmatch(text) or make(text) < least:
            raise ValueError(f"{text!r} is not {wanted}")
        return make(text)

    return read


_read_amount = _reader(_AMOUNT, Decimal, "an amount in dollars, such as 150 or 150.75")
_read_number = _reader(_WHOLE, int, "a whole number")
_read_count = _reader(_WHOLE, int, "a whole number, at least 1", 1)
_read_seconds = _reader(_SECONDS, float, "a number of seconds")


def _read_day(_type: Any, tokens: Sequence[Token]) -> date:
    text = tokens[0].value
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a day such as 2026-01-31")


Amount: TypeAlias = Annotated[Decimal, Parameter(converter=_read_amount)]
Number: TypeAlias = Annotated[int, Parameter(converter=_read_number)]
Count: TypeAlias = Annotated[int, Parameter(converter=_read_count)]
Seconds: TypeAlias = Annotated[float, Parameter(converter=_read_seconds)]
Day: TypeAlias = Annotated[date, Parameter(converter=_read_day)]
# A single hyphen is stdout, not an option.
FileName: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True)]
Output: TypeAlias = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        help=_destination_help("Where to write: stdout (-), or"),
    ),
]
SyncedDestination: TypeAlias = Annotated[
    str | None,
    Parameter(
        help=_destination_help("What to keep up to date:")
        + " Put a database's password into PGPASSWORD or a .pgpass file. Without a destination, "
        "PAYWINT_DESTINATION is used; a URL there may contain the password."
    ),
]
FormatName: TypeAlias = Literal["jsonl", "csv"]
RowsPerPage: TypeAlias = Literal[10, 20, 50, 100]
DirectionChoice: TypeAlias = Literal["sent", "received", "both"]
