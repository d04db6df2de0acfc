"""Where a listing stands, as a value, and as the JSON of a checkpoint.

A position counts ranks from the oldest payment (1), so that new arrivals never move it. Version 1 of
the JSON value, all fields required:

| field | meaning |
| --- | --- |
| ``version`` | 1 |
| ``direction`` | ``sent`` or ``received`` |
| ``order`` | how the server lists: ``newest_first``, ``oldest_first``, ``unknown`` (one row shows none) |
| ``snapshot`` | how many payments existed when the first page was read: the highest rank |
| ``floor`` | ranks up to this one belong to an earlier, finished read |
| ``expected`` | how many records this read has to deliver |
| ``delivered`` | how many it has delivered |
| ``remaining`` | how many ranks are between the last one delivered and the end |
| ``last`` | ids of the last records delivered, the very last one at the end: they prove the place |
| ``head`` | ids of the newest records delivered: a later read ends where they begin |
| ``floor_head`` | ``head`` of the earlier read |
| ``due`` | ids of the first records to deliver, while none has been delivered yet |
| ``tail`` | id of the snapshot's last record, on an oldest-first server |
| ``changed`` | true where what an earlier read delivered was found changed, which is still to be said |
| ``finished`` | true once nothing of the snapshot is left |
| ``check`` | SHA-256 (16 hex digits) over the others, so that damage is noticed |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from paywint_async._errors import InvalidRequestError

VERSION = 1
ANCHORS = 8  # ids kept to prove a place: all of them would have to be deleted to lose it

Key: TypeAlias = int  # a payment's id as an integer: UUID objects hash in Python, integers in C


class Order(StrEnum):
    """In which order the server lists. None is published; detected from the data."""

    UNKNOWN = "unknown"
    NEWEST_FIRST = "newest_first"
    OLDEST_FIRST = "oldest_first"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a listing stands; the fields are those of the table above."""

    order: Order = Order.UNKNOWN
    snapshot: int
    floor: int = 0
    expected: int
    delivered: int
    remaining: int
    last: tuple[Key, ...] = ()
    head: tuple[Key, ...] = ()
    floor_head: tuple[Key, ...] = ()
    due: tuple[Key, ...] = ()
    tail: Key | None = None
    is_changed: bool = False

    @property
    def is_finished(self) -> bool:
        """True once every record of the snapshot has been delivered."""
        return self.remaining == 0 and self.delivered == self.expected


_COUNTS = ("snapshot", "floor", "expected", "delivered", "remaining")
_KEYS = ("last", "head", "floor_head", "due")


def to_json(position: Position, direction: str) -> dict[str, Any]:
    """The checkpoint: plain JSON values."""
    value: dict[str, Any] = {"version": VERSION, "direction": str(direction)}
    value["order"] = position.order.value
    value |= {name: getattr(position, name) for name in _COUNTS}
    value |= {name: [_id(key) for key in getattr(position, name)] for name in _KEYS}
    value["tail"] = None if position.tail is None else _id(position.tail)
    value["changed"] = position.is_changed
    value["finished"] = position.is_finished
    return value | {"check": _check(value)}


def from_json(value: object, direction: str) -> Position:
    """The position that a checkpoint holds.

    Raises:
        InvalidRequestError: damaged, of another version, or of the other direction.
    """
    if not isinstance(value, Mapping):
        raise _refused("must be the value of a listing's checkpoint")
    if value.get("version") != VERSION:
        raise _refused(f"has version {value.get('version')!r}; this release reads {VERSION}")
    if value.get("check") != _check({k: v for k, v in value.items() if k != "check"}):
        raise _refused("is damaged: its check does not fit its content")
    if value.get("direction") != direction:
        raise _refused(f"is of payments {value.get('direction')!r}, not {direction!r}")
    try:
        return _parse(value)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _refused("is damaged: a field is missing or ill-typed") from None


def _parse(value: Mapping[str, Any]) -> Position:
    fields: dict[str, Any] = {name: int(value[name]) for name in _COUNTS}
    fields |= {name: tuple(UUID(text).int for text in value[name]) for name in _KEYS}
    tail = None if value["tail"] is None else UUID(value["tail"]).int
    order, is_changed = Order(value["order"]), bool(value.get("changed"))
    return Position(order=order, tail=tail, is_changed=is_changed, **fields)


def _id(key: Key) -> str:
    return str(UUID(int=key))


def _check(value: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError):
        return "not JSON"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _refused(problem: str) -> InvalidRequestError:
    return InvalidRequestError("checkpoint", problem)
