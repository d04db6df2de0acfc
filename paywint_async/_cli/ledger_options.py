"""The options that say how a ledger is read, and the profile file that can hold them."""

from __future__ import annotations

import codecs
import json
import os
import tomllib
from collections.abc import Mapping
from typing import Any, Literal

import attrs
from cyclopts import Parameter

from paywint_async._cli.options import Number, UsageError
from paywint_async.export._errors import translated
from paywint_async.export._files import put_in_place, replacement, temporary_path, write_all
from paywint_async.reconcile import Columns, LedgerError

_TAB = ("tab", "\\t")  # a tab itself is hard to type in a shell


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ColumnNames:
    """The options that name a ledger's columns.

    Parameters
    ----------
    id_column
        Column of the payment's id. By default each column is found by its name (--explain shows
        which); an empty name ignores the column.
    invoice_column
        Column of the invoice number.
    description_column
        Column of the description.
    amount_column
        Column of the amount.
    debit_column
        Column of sent amounts, if sent and received amounts have separate columns.
    credit_column
        Column of received amounts, if sent and received amounts have separate columns.
    fee_column
        Column of a fee that was deducted from the amount; it is added back.
    date_column
        Column of the date, with or without a time.
    status_column
        Column of the status.
    direction_column
        Column with 'sent' or 'received', or a bank's words for it.
    currency_column
        Column of the currency, which must be USD.
    """

    id_column: str | None = None
    invoice_column: str | None = None
    description_column: str | None = None
    amount_column: str | None = None
    debit_column: str | None = None
    credit_column: str | None = None
    fee_column: str | None = None
    date_column: str | None = None
    status_column: str | None = None
    direction_column: str | None = None
    currency_column: str | None = None

    def as_columns(self) -> Columns:
        """Convert to `Columns`, whose fields have the same names without `_column`."""
        given = attrs.asdict(self)
        return Columns(**{option.removesuffix("_column"): name for option, name in given.items()})


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class TextForm:
    """The options for the format of a ledger; what is not given is detected.

    Parameters
    ----------
    encoding
        Encoding of a text file, such as utf-8 or cp1252.
    delimiter
        Character between the values of a text file, or tab.
    header_line
        Number of the line that names the columns, from 1; 0 if no line does: then the columns are
        called 1, 2, ….
    date_format
        dmy, mdy or ymd, or a pattern such as %d.%m.%Y.
    decimal_mark
        The decimal mark of amounts: . or ,
    sheet
        Sheet of an Excel file.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_line: Number | None = None
    date_format: str | None = None
    decimal_mark: Literal[".", ","] | None = None
    sheet: str | None = None


@attrs.frozen(kw_only=True)
class LedgerOptions:
    """The format of a ledger, from the command's options and the profile."""

    columns: ColumnNames
    form: TextForm
    paid_statuses: tuple[str, ...]

    def with_profile(self, path: str | None) -> LedgerOptions:
        """Fill in from a profile what no option gives.

        Raises:
            LedgerError: the file is not a valid profile.
            ExportError: the file cannot be read.
        """
        profile = _read(path) if path is not None else {}
        statuses = profile.pop("paid_status", ())
        return LedgerOptions(
            columns=_filled(self.columns, profile),
            form=_filled(self.form, profile),
            paid_statuses=(*self.paid_statuses, *statuses),
        )

    def checked_form(self) -> dict[str, Any]:
        """Check the format options and return them as arguments of `LedgerFormat`.

        Raises:
            UsageError: an option has an invalid value; the message names the option.
        """
        form = attrs.asdict(self.form)
        form["delimiter"] = _checked_delimiter(self.form.delimiter)
        _check_encoding(self.form.encoding)
        _check_date_format(self.form.date_format)
        return form


def save_profile(path: str, options: LedgerOptions, found: Mapping[str, str]) -> None:
    """Write a profile, atomically.

    Encoding and header line are written only if an option gave them: the file of the next month may
    have others, and would be misread without an error.

    Args:
        path: of the profile.
        options: as given by the user.
        found: the options that were not given, with the values detected in the ledger.

    Raises:
        ExportError: the file cannot be written.
    """
    given = {**attrs.asdict(options.columns), **attrs.asdict(options.form)}
    kept: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    kept = {**found, **kept}
    if options.paid_statuses:
        kept["paid_status"] = list(options.paid_statuses)
    lines = [f"{name.replace('_', '-')} = {_as_toml(value)}\n" for name, value in kept.items()]
    text = "# How 'paywint reconcile' reads a ledger: --profile names this file.\n" + "".join(lines)
    real_path = os.path.realpath(path)
    with translated(f"cannot write {path}"), replacement(real_path) as fd:
        write_all(fd, text.encode())
        put_in_place(fd, temporary_path(real_path), real_path)
    os.close(fd)


def _as_toml(value: Any) -> str:
    """Write a string, an integer or a list of strings, which TOML writes as JSON does, except for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(path: str) -> dict[str, Any]:
    with translated(f"cannot read {path}"), open(path, "rb") as file:
        data = file.read(1 << 20)
    try:
        entries = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LedgerError(path, f"is not a valid TOML profile: {error}") from None
    found: dict[str, Any] = {}
    for key, value in entries.items():
        name = key.replace("-", "_")
        if name not in _KEYS:
            known = ", ".join(each.replace("_", "-") for each in _KEYS)
            raise LedgerError(path, f"has the unknown key {key!r}; known are {known}")
        if name == "paid_status":
            value = [value] if isinstance(value, str) else value
            is_right = isinstance(value, list) and all(isinstance(each, str) for each in value)
        elif name == "header_line":
            is_right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        else:
            is_right = isinstance(value, str)
        if not is_right or (name == "decimal_mark" and value not in (".", ",")):
            raise LedgerError(path, f"has an invalid value: {key} = {value!r}")
        found[name] = value
    return found


_KEYS = (
    *(field.name for field in attrs.fields(ColumnNames)),
    *(field.name for field in attrs.fields(TextForm)),
    "paid_status",
)


def _filled(options: Any, profile: Mapping[str, Any]) -> Any:
    """Return the options with missing values taken from the profile."""
    missing = {
        field.name: profile[field.name]
        for field in attrs.fields(type(options))
        if getattr(options, field.name) is None and field.name in profile
    }
    return attrs.evolve(options, **missing)


def _checked_delimiter(delimiter: str | None) -> str | None:
    if delimiter is None:
        return None
    if delimiter.lower() in _TAB:
        return "\t"
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError("--delimiter must be a single character, or tab")
    return delimiter


def _check_encoding(encoding: str | None) -> None:
    try:
        if encoding is None or codecs.lookup(encoding)._is_text_encoding:
            return
    except (LookupError, ValueError):
        pass
    raise UsageError(f"--encoding: {encoding!r} is not a known encoding, such as utf-8 or cp1252")


def _check_date_format(form: str | None) -> None:
    if form is not None and form not in ("dmy", "mdy", "ymd") and "%" not in form:
        raise UsageError(
            f"--date-format: {form!r} is neither dmy, mdy, ymd nor a pattern with % in it"
        )
