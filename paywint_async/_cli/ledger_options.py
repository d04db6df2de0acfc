"""The options that tell how a ledger is read, and the profile in which they may stand."""

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

_TAB = ("tab", "\\t")  # what can be typed


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ColumnNames:
    """The options that name a ledger's columns.

    Parameters
    ----------
    id_column
        With the payment's id. Each default is a column of a usual name, which --explain tells; an
        empty name is none.
    invoice_column
        With the invoice number.
    description_column
        With the description.
    amount_column
        With the amount.
    debit_column
        With what was sent, where it has a column of its own.
    credit_column
        With what was received, where it has a column of its own.
    fee_column
        With the fee that was taken off the amount, and is added again.
    date_column
        With the day or the time.
    status_column
        With the status.
    direction_column
        With 'sent' or 'received', or a bank's words for it.
    currency_column
        Which must be USD.
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

    def as_told(self) -> Columns:
        """The same without the options' ending."""
        told = attrs.asdict(self)
        return Columns(**{option.removesuffix("_column"): name for option, name in told.items()})


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class TextForm:
    """The options that tell the form of a ledger; without them it is found.

    Parameters
    ----------
    encoding
        Of a file of text, such as utf-8 or cp1252.
    delimiter
        Between the values of a file of text: a character, or tab.
    header_line
        The line that names the columns, from 1; 0: there is none, and columns are called 1, 2, ….
    date_format
        dmy, mdy or ymd, or a form such as %d.%m.%Y.
    decimal_mark
        . or ,
    sheet
        Of an Excel file.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_line: Number | None = None
    date_format: str | None = None
    decimal_mark: Literal[".", ","] | None = None
    sheet: str | None = None


@attrs.frozen(kw_only=True)
class LedgerOptions:
    """What the options and the profile tell of a ledger."""

    columns: ColumnNames
    form: TextForm
    paid_statuses: tuple[str, ...]

    def with_profile(self, path: str | None) -> LedgerOptions:
        """The same with what the profile tells and no option does.

        Raises:
            LedgerError: the profile is no profile.
            ExportError: it cannot be read.
        """
        told = _read(path) if path is not None else {}
        statuses = told.pop("paid_status", ())
        return LedgerOptions(
            columns=_filled(self.columns, told),
            form=_filled(self.form, told),
            paid_statuses=(*self.paid_statuses, *statuses),
        )

    def checked_form(self) -> dict[str, Any]:
        """The form of a ledger as `LedgerFormat` has it.

        Raises:
            UsageError: an option cannot be used; names it.
        """
        form = attrs.asdict(self.form)
        form["delimiter"] = _checked_delimiter(self.form.delimiter)
        _check_encoding(self.form.encoding)
        _check_date_format(self.form.date_format)
        return form


def save_profile(path: str, options: LedgerOptions, found: Mapping[str, str]) -> None:
    """Writes a profile, which appears as a whole or not at all.

    Encoding and header line are written only where they were told: a file of the next month may have
    others, and would be misread in silence.

    Args:
        path: of the profile.
        options: as told.
        found: of the options that were not told, those that the ledger decided.

    Raises:
        ExportError: it cannot be written.
    """
    told = {**attrs.asdict(options.columns), **attrs.asdict(options.form)}
    kept: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
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
    """Strings, whole numbers and lists of strings are written as in JSON, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(path: str) -> dict[str, Any]:
    with translated(f"cannot read {path}"), open(path, "rb") as file:
        data = file.read(1 << 20)
    try:
        told = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LedgerError(path, f"is no profile in TOML: {error}") from None
    found: dict[str, Any] = {}
    for key, value in told.items():
        name = key.replace("-", "_")
        if name not in _KEYS:
            known = ", ".join(each.replace("_", "-") for each in _KEYS)
            raise LedgerError(path, f"{key!r} is none of {known}")
        if name == "paid_status":
            value = [value] if isinstance(value, str) else value
            is_right = isinstance(value, list) and all(isinstance(each, str) for each in value)
        elif name == "header_line":
            is_right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        else:
            is_right = isinstance(value, str)
        if not is_right or (name == "decimal_mark" and value not in (".", ",")):
            raise LedgerError(path, f"{key} = {value!r} cannot be used")
        found[name] = value
    return found


_KEYS = (
    *(field.name for field in attrs.fields(ColumnNames)),
    *(field.name for field in attrs.fields(TextForm)),
    "paid_status",
)


def _filled(options: Any, told: Mapping[str, Any]) -> Any:
    """The options with values of the profile where they have none."""
    missing = {
        field.name: told[field.name]
        for field in attrs.fields(type(options))
        if getattr(options, field.name) is None and field.name in told
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
    raise UsageError(f"--encoding: {encoding!r} is no encoding, such as utf-8 or cp1252")


def _check_date_format(form: str | None) -> None:
    if form is not None and form not in ("dmy", "mdy", "ymd") and "%" not in form:
        raise UsageError(
            f"--date-format: {form!r} is neither dmy, mdy, ymd nor a form with % in it"
        )
