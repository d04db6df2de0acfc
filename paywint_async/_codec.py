"""Bytes ↔ records. The only user of cattrs; knows nothing of HTTP, paths or statuses.

The converter is a stock cattrs msgspec converter with one change: for the wire types its loads hook
is a bound ``msgspec.json.Decoder``, so that the bytes are walked once, in C, straight into the attrs
classes (5 times faster than structuring in Python, and an amount keeps the digits it was written
with). Every special case of that decoder stands here:

* attrs converters and aliases are skipped by msgspec, private names are misread: `_refuse_misread`
  rejects a record class that has them when this module is imported;
* ``totalRecords`` has no attrs spelling: the envelopes are msgspec Structs with a rename;
* an unknown enum value reaches ``Enum._missing_``, which keeps it; ``null`` and numbers do not;
* a naive datetime is refused by ``Meta(tz=True)`` in the annotation;
* a Decimal is also read from a JSON string (``"1_000"``, ``"NaN"``): `refuse_ambiguity`;
* of a key that comes twice the last one wins in silence: `refuse_ambiguity`.

Other classes go the ordinary cattrs way, so users may register hooks for their own on a
`make_converter` of theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any, NoReturn, TypeVar

import attrs
import msgspec
from cattrs.preconf.msgspec import MsgspecJsonConverter, configure_converter

from paywint_async._errors import ResponseDecodeError
from paywint_async._models import CheckoutToken, Payment, PaymentLink

T = TypeVar("T")

_CAMEL_CASE = {"total_records": "totalRecords", "query_generated_time": "queryGeneratedTime"}
_PROBLEM_PATH = r"(?s)^(?P<problem>.*?)(?: - at `(?P<path>.*)`)?$"
_AMOUNT, _SIGNS = b'"amount"', b"-0123456789"
_SPACED_AMOUNT = rb'"amount"\s*:\s*("?)'
_ESCAPED_AMOUNT = rb"\\u00(?:6[1DEFdef]|7[45])"  # a letter of "amount", as \u0061
# What stands before and behind a list of records.
_HEAD = re.compile(rb'\s*\{[^\[\]{}]*"records"\s*:\s*\[(?=\s*\{)')
_TAIL = re.compile(rb"\][^\[\]{}]*\}\s*\Z")
_SMALL = 4096  # bytes: an answer about one payment has a tenth of that
_KEY = re.compile(rb'"(\w+)"\s*:')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_second = itemgetter(1)
_TEXT_AMOUNT = re.compile(rb'"amount":\s*"')


class _Digits(str):
    """A JSON number, kept as it was written; plain `str` is JSON text."""

    __slots__ = ()


class ListEnvelope(msgspec.Struct, rename=_CAMEL_CASE):
    """What surrounds a page of payments. Source: list envelope of the published API."""

    records: tuple[Payment, ...]
    total_records: int
    query_generated_time: float | None = None
    success: bool = True
    message: str | None = None


class PaymentEnvelope(msgspec.Struct):
    """What surrounds one payment."""

    data: Payment
    success: bool = True
    message: str | None = None


class PaymentLinkEnvelope(msgspec.Struct):
    """What surrounds a new payment link."""

    data: PaymentLink
    success: bool = True
    message: str | None = None


class CheckoutTokenEnvelope(msgspec.Struct):
    """What surrounds a checkout token."""

    data: CheckoutToken
    success: bool = True
    message: str | None = None


class Refusal(msgspec.Struct):
    """The parts of an answer that may explain a refusal; anything may be missing."""

    success: Any = None
    message: Any = None
    detail: Any = None


_RECORDS = (Payment, PaymentLink, CheckoutToken)
_ENVELOPES = (ListEnvelope, PaymentEnvelope, PaymentLinkEnvelope, CheckoutTokenEnvelope, Refusal)


def _refuse_misread(record: type[attrs.AttrsInstance]) -> None:
    for field in attrs.fields(record):
        if field.converter is not None or field.alias != field.name or field.name.startswith("_"):
            raise TypeError(f"{record.__name__}.{field.name}: msgspec would misread this field")


for _record in _RECORDS:
    _refuse_misread(_record)

# For other classes: their numbers, too, keep the digits they were written with.
_decode_exactly = msgspec.json.Decoder(float_hook=Decimal).decode
_WIRE_TYPES = frozenset((*_RECORDS, *_ENVELOPES))


# Made when one is needed: to make all of them takes half a millisecond of an import.
_decoder: Callable[[Any], Callable[[bytes], Any]] = cache(
    lambda wire_type: msgspec.json.Decoder(wire_type).decode
)


class WireConverter(MsgspecJsonConverter):
    """A cattrs converter that reads and writes the API's JSON, amounts digit for digit."""

    encoder = msgspec.json.Encoder(decimal_format="number")

    def get_loads_hook(self, cl: type[T]) -> Callable[[bytes], T]:
        """The function that turns bytes into ``cl``: for wire types msgspec's own, bound."""
        return _decoder(cl) if cl in _WIRE_TYPES else super().get_loads_hook(cl)

    def loads(self, data: bytes, cl: type[T], **kwargs: Any) -> T:
        """``cl`` from JSON bytes. Raises: what msgspec and cattrs raise; see `decode` for ours."""
        if kwargs:
            return super().loads(data, cl, **kwargs)
        if cl in _WIRE_TYPES:
            return _decoder(cl)(data)  # type: ignore[no-any-return]
        return self.structure(_decode_exactly(data), cl)


def make_converter() -> WireConverter:
    """A new converter for the API's records, to which hooks for your own classes can be added."""
    converter = WireConverter()
    configure_converter(converter)
    for record in _RECORDS:  # where one stands inside a class of the user's
        converter.register_structure_hook(record, _structure)
    return converter


def _structure(value: Any, record: type[T]) -> T:
    _refuse_text_amount(value, "$.amount")
    return msgspec.convert(value, record)


@cache
def own_converter() -> WireConverter:
    """The library's own converter, made when the first answer is read."""
    return make_converter()


def decode(data: bytes, wire_type: type[T]) -> T:
    """``wire_type`` from JSON bytes.

    Raises:
        ResponseDecodeError: not JSON, or not of that shape; names the ``$.path`` of the problem.
    """
    problem, path = "", "$"
    try:
        return own_converter().get_loads_hook(wire_type)(data)
    except msgspec.ValidationError as error:
        match = re.match(_PROBLEM_PATH, str(error))
        problem, path = (match["problem"], match["path"] or "$") if match else (str(error), "$")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = f"no valid JSON ({error})"
    raise ResponseDecodeError(problem, path)


def refuse_ambiguity(data: bytes, records: int | None = None) -> None:
    """Refuses what the decoder would accept in silence: amounts as text, and keys that come twice.

    The walk must cost little. Of a small answer each key is looked at, of a page of ``records``
    payments each amount, whose number must fit, and the part around the records; only where that
    shows anything odd, the answer is parsed once more, strictly.

    Raises:
        ResponseDecodeError: naming the amount or the key.
    """
    if records is None or len(data) <= _SMALL:
        if _is_plain(data):
            return
    elif _is_plain_page(data, records):
        return
    answer = _load_strictly(data)
    listed = answer.get("records")
    for index, record in enumerate(listed if isinstance(listed, list) else []):
        _refuse_text_amount(record, f"$.records[{index}].amount")
    _refuse_text_amount(answer.get("data"), "$.data.amount")


def _is_plain(data: bytes) -> bool:
    # Without a backslash, a quoted word before a colon is a key, wherever it stands.
    keys = _KEY.findall(data)
    is_told_whole = b"\\" not in data and len(keys) == data.count(b'":')
    return is_told_whole and len(set(keys)) == len(keys) and not _TEXT_AMOUNT.search(data)


def _is_plain_page(data: bytes, records: int) -> bool:
    if b"\\" in data and re.search(_ESCAPED_AMOUNT, data):
        return False
    if not (_are_plain_amounts(data, records) or _are_spaced_amounts(data, records)):
        return False
    # What surrounds the records is flat, so no second list can hide between its two ends.
    head, tail = _HEAD.match(data), _TAIL.match(data, data.find(b"]", data.rfind(b'mount"')))
    return head is not None and tail is not None and _is_plain(head[0] + tail[0])


def _are_plain_amounts(data: bytes, records: int) -> bool:
    # Each record has an amount, so where there are no more of that word, it is these keys alone,
    # and a colon and a value follow. From the right: CPython's search is three times as fast there.
    behind = data.rsplit(_AMOUNT, records + 1)[1:]
    return 0 < records == len(behind) and not bytes(map(_second, behind)).strip(_SIGNS)


def _are_spaced_amounts(data: bytes, records: int) -> bool:
    quotes = re.findall(_SPACED_AMOUNT, data)
    return 0 < records == len(quotes) == quotes.count(b"")


def _load_strictly(data: bytes) -> Any:
    try:
        return _strict_decode(data.decode())
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise ResponseDecodeError(problem)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} comes twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_strict_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_Digits).decode
_exact_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_refuse_constant
).decode


def decode_any(data: bytes) -> Any:
    """Any JSON value, its numbers as int or Decimal with exactly their digits.

    Half a surrogate pair is read as U+FFFD, so that no text makes an answer unreadable.

    Raises:
        ResponseDecodeError: not strict JSON: NaN, a key twice in one object, or no UTF-8.
    """
    try:
        text = data.decode()
        value = _exact_decode(text)
        return _replace_surrogates(value) if _SURROGATE.search(text) else value
    except (ValueError, ArithmeticError, RecursionError) as error:
        problem = f"no valid JSON ({error})"
    raise ResponseDecodeError(problem)


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_replace_surrogates(k): _replace_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    return value


def _refuse_text_amount(record: Any, path: str) -> None:
    amount = record.get("amount") if isinstance(record, dict) else None
    if isinstance(amount, str) and not isinstance(amount, _Digits):
        raise ResponseDecodeError("Expected `number`, got `str`", path)


def encode(value: Any) -> bytes:
    """JSON bytes of plain values, Decimals as numbers with exactly their digits."""
    return WireConverter.encoder.encode(value)
