"""Converts bytes to records and back. The only user of cattrs; knows no HTTP, paths or statuses.

The converter is a standard cattrs msgspec converter with one change: it reads the wire types by a bound
``msgspec.json.Decoder``, which decodes the bytes in one pass in C into the attrs classes (5 times faster
than structuring in Python, and an amount keeps all its digits). The special cases of that decoder:

* msgspec ignores attrs converters and aliases, and misreads private names: `_refuse_misread` rejects a
  record class that has them when this module is imported;
* attrs cannot rename ``totalRecords``: the envelopes are msgspec Structs with a rename;
* an unknown enum value reaches ``Enum._missing_``, which keeps it; ``null`` and numbers do not;
* a naive datetime is refused by ``Meta(tz=True)`` in the annotation;
* a Decimal is also read from a JSON string (``"1_000"``, ``"NaN"``): `refuse_ambiguity` refuses that
  for every Decimal field of a record in an answer, a converter from `make_converter` in all it reads;
* of a repeated key the last value is used silently: `refuse_ambiguity` refuses it, in a large page only
  where it says;
* an invalid text (half an emoji, a byte of Latin-1) makes the whole document invalid: `decode` repairs
  it.

Other classes are converted by cattrs as usual, so users may register hooks for their own classes on a
converter from `make_converter`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar, get_type_hints

import attrs
import msgspec
from cattrs.preconf.msgspec import MsgspecJsonConverter, configure_converter

from paywint_async._errors import ResponseDecodeError
from paywint_async._models import CheckoutToken, Payment, PaymentLink
from paywint_async._record_json import money_fields, parts_of, refuse_text_money
from paywint_async._strict_json import UUID_PATTERN, Digits, load, repair_texts

T = TypeVar("T")

_CAMEL_CASE = {"total_records": "totalRecords", "query_generated_time": "queryGeneratedTime"}
_PROBLEM_PATH = r"(?s)^(?P<problem>.*?)(?: - at `(?P<path>.*)`)?$"
_SIGNS = b"-0123456789"
# The text before and after a list of records.
_HEAD = re.compile(rb'\s*\{[^\[\]{}]*"records"\s*:\s*\[(?=\s*\{)')
_TAIL = re.compile(rb"\][^\[\]{}]*\}\s*\Z")
_SMALL = 4096  # bytes: an answer about one payment has a tenth of that
# Single bytes as numbers: ``bytes in bytes`` internally raises an exception first, which is slower.
_BACKSLASH = ord("\\")
_BEHIND_KEYS = b": \t\r\n"
_second = itemgetter(1)


class ListEnvelope(msgspec.Struct, rename=_CAMEL_CASE):
    """The envelope of a page of payments. Source: list envelope of the published API."""

    records: tuple[Payment, ...] | None  # may be null if the account has no payments
    total_records: int | None = None
    query_generated_time: float | None = None
    success: bool = True
    message: str | None = None


class PaymentEnvelope(msgspec.Struct):
    """The envelope of one payment."""

    data: Payment
    success: bool = True
    message: str | None = None


class PaymentLinkEnvelope(msgspec.Struct):
    """The envelope of a new payment link."""

    data: PaymentLink
    success: bool = True
    message: str | None = None


class CheckoutTokenEnvelope(msgspec.Struct):
    """The envelope of a checkout token."""

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


@cache
def record_of(envelope: type) -> type:
    """The type of the record in an envelope."""
    hints = get_type_hints(envelope)
    hint = hints.get("data", hints.get("records"))
    (record,) = {part for part in (hint, *parts_of(hint)) if part in _RECORDS}
    return record  # type: ignore[no-any-return]


class _Guard:
    """The patterns that find the Decimal fields of one record type in bytes."""

    def __init__(self, names: tuple[str, ...]) -> None:
        either = "|".join(names).encode()
        letters = "|".join(f"{ord(letter):02x}" for letter in sorted({*"".join(names)}))
        self.names = names
        self.keys = [f'"{name}"'.encode() for name in names]
        self.text = re.compile(rb'"(?:%s)"\s*:\s*"' % either if names else rb"(?!)")
        # An escaped letter of a name, such as \u0061.
        self.escaped = re.compile(rb"(?i)\\u00(?:%s)" % letters.encode() if names else rb"(?!)")
        self.spaced = [re.compile(rb'"%s"\s*:\s*("?)' % name.encode()) for name in names]


_guard: Callable[[type], _Guard] = cache(lambda record: _Guard(money_fields(record)))

_WIRE_TYPES = frozenset((*_RECORDS, *_ENVELOPES))


# Created on first use: creating all of them would add half a millisecond to the import.
_decoder: Callable[[Any], Callable[[bytes], Any]] = cache(
    lambda wire_type: msgspec.json.Decoder(wire_type).decode
)


class WireConverter(MsgspecJsonConverter):
    """A cattrs converter that reads and writes the API's JSON; amounts keep all their digits."""

    encoder = msgspec.json.Encoder(decimal_format="number")

    def loads(self, data: bytes, cl: type[T], **kwargs: Any) -> T:
        """Decodes JSON bytes into ``cl``. Raises the errors of msgspec and cattrs, unlike `decode`.

        An amount as text is a `ResponseDecodeError`; for a wire type itself, a repeated key is one, too.
        """
        if cl in _WIRE_TYPES and not kwargs:
            return _decode_checked(data, cl)
        # Numbers of other classes keep all digits, too.
        return self.structure(msgspec.json.Decoder(float_hook=Decimal, **kwargs).decode(data), cl)


class _OwnConverter(WireConverter):
    def get_loads_hook(self, cl: type[T]) -> Callable[[bytes], T]:
        """Returns msgspec's decoder alone: `decode` repairs texts, its caller refuses ambiguity."""
        return _decoder(cl)


def make_converter() -> WireConverter:
    """Returns a new converter for the API's records, to which hooks for your classes can be added.

    An amount as text is refused in them, wherever they are. Of a repeated key inside a class of yours
    the last value is used.
    """
    converter = WireConverter()
    configure_converter(converter)
    for wire_type in _WIRE_TYPES:  # for records inside a class of the user's
        converter.register_structure_hook(wire_type, _structure)
    return converter


def _structure(value: Any, wire_type: type[T]) -> T:
    refuse_text_money(value, wire_type, "$")
    return msgspec.convert(value, wire_type)


def _decode_checked(data: bytes, wire_type: type[T]) -> T:
    value = _decoder(wire_type)(data)
    if not _is_plain(data, _guard(wire_type)):
        refuse_text_money(_load_strictly(data), wire_type, "$")
    return value  # type: ignore[no-any-return]


@cache
def own_converter() -> WireConverter:
    """The library's own converter, created when the first answer is read."""
    return _OwnConverter()


def decode(data: bytes, wire_type: type[T]) -> T:
    """Decodes JSON bytes into ``wire_type``; invalid parts of a text become U+FFFD.

    Raises:
        ResponseDecodeError: not JSON, or not of that shape; has the ``$.path`` of the problem.
    """
    problem, path = "", "$"
    try:
        return _decode_repaired(own_converter().get_loads_hook(wire_type), data)
    except msgspec.ValidationError as error:
        match = re.match(_PROBLEM_PATH, str(error))
        problem, path = (match["problem"], match["path"] or "$") if match else (str(error), "$")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = f"no valid JSON ({error})"
    raise ResponseDecodeError(problem, path)


def _decode_repaired(loads: Callable[[bytes], T], data: bytes) -> T:
    try:
        return loads(data)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        if (repaired := repair_texts(data)) == data:
            raise
    return loads(repaired)


def find_record(data: bytes, path: str) -> tuple[int | None, str | None]:
    """Returns the index and the id of the record that cannot be read; None for what is not found.

    Args:
        data: the page.
        path: the path of the problem, from the error of `decode`.
    """
    match = re.match(r"\$\.records\[(\d+)\]", path)
    if match is None:
        return _find_broken_record(repair_texts(data).decode()) if path == "$" else (None, None)
    index = int(match[1])
    try:
        record = msgspec.json.decode(repair_texts(data), type=_RawPage).records[index]
        return index, _id_of(msgspec.json.decode(record))
    except (msgspec.MsgspecError, IndexError, RecursionError):
        return index, None


def _find_broken_record(text: str) -> tuple[int | None, str | None]:
    """Finds the first record that is not JSON, in a document that is therefore not JSON either."""
    start = re.search(r'"records"\s*:\s*\[\s*', text)
    index, place = 0, start.end() if start else len(text)
    while text.startswith("{", place):
        try:
            _, place = _JSON.raw_decode(text, place)
        except (ValueError, RecursionError):
            found = re.compile(rf'"payment_id"\s*:\s*"({UUID_PATTERN})"').search(text, place)
            return index, found[1] if found else None
        following = _BETWEEN.match(text, place)
        index, place = index + 1, following.end() if following else len(text)
    return None, None


_JSON = json.JSONDecoder()
_BETWEEN = re.compile(r"\s*,\s*")


class _RawPage(msgspec.Struct):
    records: list[msgspec.Raw]


def _id_of(record: Any) -> str | None:
    found = record.get("payment_id") if isinstance(record, dict) else None
    return found if isinstance(found, str) and re.fullmatch(UUID_PATTERN, found) else None


def refuse_ambiguity(data: bytes, record: type, records: int | None = None) -> None:
    """Refuses what the decoder would silently accept: amounts as text, and repeated keys.

    An amount as text is refused in every answer. So is a repeated key at any depth of an answer about
    one record, and of a page of at most 4,096 bytes. In a larger page these keys must not be repeated:
    those of the page itself (``totalRecords``), and the Decimal fields of its records (``amount``). Of
    any other repeated key of a record (``status``, ``payment_id``, ``created_at``) the last value is
    used: looking for one more key in every record would add 7 % to the time that a page takes.

    The check of a page of ``records`` records must be fast. Only if something looks unusual, such as a
    word that does not occur exactly once per record, the answer is parsed again by a strict parser.

    Raises:
        ResponseDecodeError: with the path of the amount, or the key.
    """
    guard = _guard(record)
    if records is None or len(data) <= _SMALL:
        if _is_plain(data, guard):
            return
    elif _is_plain_page(data, records, guard):
        return
    answer = _load_strictly(data)
    listed = answer.get("records")
    for index, each in enumerate(listed if isinstance(listed, list) else []):
        refuse_text_money(each, record, f"$.records[{index}]")
    refuse_text_money(answer.get("data"), record, "$.data")


def _is_plain(data: bytes, guard: _Guard) -> bool:
    if _BACKSLASH in data:
        return False
    # Without backslashes each quotation mark begins or ends a string; a key is followed by a colon.
    parts = data.split(b'"')
    strings, following = parts[1::2], parts[2::2]
    if len(set(strings)) < len(strings):  # usually equal values, such as names
        keys = [s for s, rest in zip(strings, following, strict=True) if rest[0] in _BEHIND_KEYS]
        if len(set(keys)) < len(keys):
            return False
    return not guard.text.search(data)


def _is_plain_page(data: bytes, records: int, guard: _Guard) -> bool:
    if _BACKSLASH in data and guard.escaped.search(data):
        return False
    for key, spaced in zip(guard.keys, guard.spaced, strict=True):
        is_spaced = not _are_plain(data, key, records)
        if is_spaced and not (data.count(key) == records and _are_spaced(data, spaced, records)):
            return False
    # No field stands outside the records, and the envelope has no other list or object: so no second
    # list, and no key that comes twice, can hide between head and tail.
    last = max(map(data.rfind, guard.keys), default=0)
    head, tail = _HEAD.match(data), _TAIL.match(data, data.find(b"]", last))
    return head is not None and tail is not None and _is_plain(head[0] + tail[0], guard)


def _are_plain(data: bytes, key: bytes, records: int) -> bool:
    # Each record has this field. If the word occurs once per record, every occurrence is this key, and
    # a colon and a value follow it. `rsplit`, as CPython searches from the right three times as fast.
    behind = data.rsplit(key, records + 1)[1:]
    return 0 < records == len(behind) and not bytes(map(_second, behind)).strip(_SIGNS)


def _are_spaced(data: bytes, spaced: re.Pattern[bytes], records: int) -> bool:
    quotes = spaced.findall(data)
    return 0 < records == len(quotes) == quotes.count(b"")


def _load_strictly(data: bytes) -> Any:
    try:
        return load(data, Digits, Digits)
    except ValueError as error:
        problem = str(error)
    raise ResponseDecodeError(problem)


def decode_any(data: bytes) -> Any:
    """Decodes any JSON value; numbers become int or Decimal, and keep all their digits.

    Raises:
        ResponseDecodeError: not strict JSON, such as NaN, or a key twice in one object.
    """
    try:
        return load(data)
    except ValueError as error:
        problem = f"no valid JSON ({error})"
    raise ResponseDecodeError(problem)


def encode(value: Any) -> bytes:
    """Encodes plain values as JSON; Decimals become numbers with all their digits."""
    return WireConverter.encoder.encode(value)
