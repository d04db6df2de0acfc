"""The options of an emulator, validated. Does not know what they are used for."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import attrs

from paywint_async.emulator._payment_book import ListOrder
from paywint_async.emulator._transitions import EXPIRED, PLANNABLE, RETRIED
from paywint_async.emulator._wire import (
    AmountUnit,
    EmptyRecords,
    EmptyTotal,
    RefundedStatus,
    RefundEvent,
)

LARGEST_HISTORY = 100_000_000
"""The newest payment of so many is in the year 2965."""

_EARLIEST, _LATEST = date(1980, 1, 1), date(8000, 1, 1)
_PATH = re.compile(r"/api(/[A-Za-z0-9._~-]+)+")

_Check = Callable[[object, "attrs.Attribute[Any]", Any], None]


def _whole(least: float = -math.inf, most: float = math.inf) -> _Check:
    def check(_settings: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not least <= value <= most:
            allowed = f" from {least} to {most}" if math.isfinite(least) else ""
            raise ValueError(f"{attribute.name} must be an integer{allowed}, not {value!r}")

    return check


def _number(least: float, most: float) -> _Check:
    def check(_settings: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            raise ValueError(
                f"{attribute.name} must be a number from {least:g} to {most:g}, not {value!r}"
            )

    return check


def _one_of(*allowed: str) -> _Check:
    def check(_settings: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in allowed:
            choices = " or ".join(map(repr, allowed))
            raise ValueError(f"{attribute.name} must be {choices}, not {value!r}")

    return check


def _flag(_settings: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{attribute.name} must be True or False, not {value!r}")


def _name(_settings: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a host name or an address, not {value!r}")


def _day(settings: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    # A datetime is a date, too, and its time of day would be ignored.
    if value is None:
        return
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(f"{attribute.name} must be a date or None, not {value!r}")
    if settings.hostile:
        raise ValueError(f"a hostile history begins in 2015: {attribute.name} cannot end it")
    if not _EARLIEST <= value <= _LATEST:
        raise ValueError(f"{attribute.name} must be from {_EARLIEST} to {_LATEST}, not {value}")


def _path(_settings: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError(f"{attribute.name} must be a path below /api/, not {value!r}")


def _steps(_settings: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    # A retry makes a link, whose timetable would retry it again, without end.
    allowed = [status for status in PLANNABLE if status != RETRIED]
    for step in value:
        is_pair = isinstance(step, tuple | list) and len(step) == 2
        if not is_pair or step[1] not in allowed or not _is_wait(step[0]):
            raise ValueError(
                f"{attribute.name} must have (seconds, status) with status one of "
                f"{', '.join(allowed)}, not {step!r}"
            )


def _is_wait(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= 1e9


@attrs.frozen(kw_only=True)
class EmulatorOptions:
    """The validated arguments of `Emulator`, which documents them.

    Raises:
        ValueError: One of them is out of its range; the message names it.
    """

    payments: int = attrs.field(validator=_whole(0, LARGEST_HISTORY))
    seed: int = attrs.field(validator=_whole())
    arrivals: float = attrs.field(validator=_number(0, 10_000))
    host: str = attrs.field(validator=_name)
    port: int = attrs.field(validator=_whole(0, 65_535))
    order: ListOrder = attrs.field(validator=_one_of("newest", "oldest"))
    expire_after: float = attrs.field(validator=_number(0.001, 1e9))
    timetable: Sequence[tuple[float, str]] = attrs.field(validator=_steps)
    hostile: bool = attrs.field(validator=_flag)
    today: date | None = attrs.field(validator=_day)
    sent_path: str = attrs.field(validator=_path)
    empty_records: EmptyRecords = attrs.field(validator=_one_of("list", "null"))
    empty_total: EmptyTotal = attrs.field(validator=_one_of("zero", "null", "absent"))
    extra_fields: bool = attrs.field(validator=_flag)
    refund_event: RefundEvent = attrs.field(validator=_one_of("payment.refunded", "payment.refund"))
    refunded_status: RefundedStatus = attrs.field(validator=_one_of("success", "refunded"))
    webhook_amounts: AmountUnit = attrs.field(validator=_one_of("cents", "dollars", "text"))
    redirect_url: str | None = attrs.field(validator=attrs.validators.optional(_name))

    @property
    def timetable_us(self) -> tuple[tuple[int, str], ...]:
        """The timetable with the link's expiry at its end, in microseconds."""
        steps = (*self.timetable, (self.expire_after, EXPIRED))
        return tuple((round(seconds * 1_000_000), status) for seconds, status in steps)
