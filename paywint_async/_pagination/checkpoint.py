"""A position as the JSON of a checkpoint.

Version 1 of the value, all fields required (`Position` has the same, some under clearer names).
Version 2, which earlier releases refuse, is of a listing with a span of time or oldest first:

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
| ``last`` | ids of the last records delivered, in order: they prove the position |
| ``head`` | ids of the newest records delivered: a later read ends where they begin |
| ``floor_head`` | ``head`` of the earlier read |
| ``due`` | ids of the first records to deliver, while none has been delivered yet |
| ``tail`` | id of the snapshot's last record, where ranks are read upwards, or null |
| ``before_tail`` | ids of the records right before it, as far as they were seen together; may be absent |
| ``changed`` | true where records of an earlier read were found changed, and no error has reported it |
| ``finished`` | true once nothing of the snapshot is left |
| ``since``, ``until`` | version 2: the span of time, ISO 8601 with a zone, or null |
| ``closed`` | version 2: true where the list has payments newer than the span, so that it cannot grow |
| ``filtered`` | version 2: true where the counts include payments that were read outside the span |
| ``handed`` | version 2: how many payments were delivered in all, including earlier reads |
| ``oldest_first`` | version 2: true where the payments are delivered in the order of time |
| ``from_end`` | version 2: true where a newest-first list is read from its end |
| ``check`` | SHA-256 (16 hex digits) over the others, to detect damage |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from paywint_async._errors import InvalidRequestError
from paywint_async._pagination.position import Key, Order, Position, Selection, Span

VERSION = 1
_SELECTION_VERSION = 2

# The names of fields in the JSON value, and in `Position`.
_COUNTS = {name: name for name in ("snapshot", "expected", "delivered", "remaining")}
_COUNTS["floor"] = "low_watermark"
_MARKS = {
    "closed": "is_closed",
    "filtered": "is_filtered",
    "oldest_first": "is_oldest_first",
    "from_end": "is_from_end",
}
_KEYS = {name: name for name in ("last", "head", "due")} | {"floor_head": "earlier_head"}


def to_json(position: Position, direction: str) -> dict[str, Any]:
    """Returns the checkpoint of a position, as plain JSON values."""
    value: dict[str, Any] = {"version": VERSION, "direction": str(direction)}
    value["order"] = position.order.value
    value |= {name: getattr(position, field) for name, field in _COUNTS.items()}
    value |= {name: [_id(key) for key in getattr(position, field)] for name, field in _KEYS.items()}
    *before, tail = map(_id, position.tail) if position.tail else (None,)
    value |= {"tail": tail, "before_tail": before}
    value["changed"] = position.is_changed
    value["finished"] = position.is_finished
    if position.span or position.is_oldest_first:
        span = position.span or Span()
        value |= {
            "version": _SELECTION_VERSION,
            "since": _iso(span.since),
            "until": _iso(span.until),
        }
        value |= {name: getattr(position, field) for name, field in _MARKS.items()}
        value["handed"] = position.handed
    return value | {"check": _check(value)}


def from_json(value: object, direction: str, selection: Selection | None = None) -> Position:
    """Parses a checkpoint.

    Args:
        value: the checkpoint.
        direction: the direction of the listing.
        selection: a span, or oldest first, that the caller gives as well; it must be the checkpoint's.

    Raises:
        InvalidRequestError: damaged, or of another version, direction, span or order.
    """
    if not isinstance(value, Mapping):
        raise _refused("must be the value of a listing's checkpoint")
    if value.get("version") not in (VERSION, _SELECTION_VERSION):
        known = f"{VERSION} and {_SELECTION_VERSION}"
        raise _refused(f"has version {value.get('version')!r}; this release reads {known}")
    if value.get("check") != _check({k: v for k, v in value.items() if k != "check"}):
        raise _refused("is damaged: its check does not fit its content")
    if value.get("direction") != direction:
        raise _refused(f"is of payments {value.get('direction')!r}, not {direction!r}")
    try:
        position = _parse(value)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _refused("is damaged: a field is missing or ill-typed") from None
    if selection is not None:
        _check_selection(position, selection)
    return position


def _check_selection(position: Position, selection: Selection) -> None:
    span = selection.span
    if span is not None and span != position.span:
        its = "the whole list" if position.span is None else f"payments {position.span}"
        problem = f"is of {its}, not of payments {span}; a span cannot be changed while it is read"
        raise _refused(problem)
    if selection.is_oldest_first and not position.is_oldest_first:
        raise _refused("is of a listing in the server's order; oldest_first cannot continue it")


def _parse(value: Mapping[str, Any]) -> Position:
    fields: dict[str, Any] = {field: int(value[name]) for name, field in _COUNTS.items()}
    fields |= {
        field: tuple(UUID(text).int for text in value[name]) for name, field in _KEYS.items()
    }
    ending = [] if value["tail"] is None else [*value.get("before_tail", ()), value["tail"]]
    tail = tuple(UUID(text).int for text in ending)
    if value["version"] == _SELECTION_VERSION:
        since, until = (_time(value[name]) for name in ("since", "until"))
        fields |= {field: bool(value[name]) for name, field in _MARKS.items()}
        fields["handed"] = int(value["handed"])
        fields["span"] = Span(since=since, until=until) if since or until else None
    order, is_changed = Order(value["order"]), bool(value.get("changed"))
    return Position(order=order, tail=tail, is_changed=is_changed, **fields)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


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
