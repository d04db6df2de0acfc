"""The life of one payment: which status may follow which, and what that does to its facts. Pure.

    pending, initiated → opened → processing → success | failed
                    └──────┴──── rejected | expired

A link is `pending` when it is made, as is published. What failed, was rejected or has expired can be
retried: it becomes `retried`, and a new payment with a new id takes its place.
"""

import attrs

from paywint_async.emulator._payment import EmulatedPayment

EXPIRED, PROCESSING, RETRIED, SUCCESS = "expired", "processing", "retried", "success"
_ENDS = ("success", "failed", "rejected", "expired")
_NEXT: dict[str, tuple[str, ...]] = {
    "pending": ("initiated", "opened", "processing", *_ENDS),
    "initiated": ("opened", "processing", *_ENDS),
    "opened": ("processing", *_ENDS),
    "processing": ("success", "failed"),
    "failed": ("retried",),
    "rejected": ("retried",),
    "expired": ("retried",),
    "success": (),
    "retried": (),
}
STATUSES = tuple(_NEXT)
PLANNABLE = tuple(status for status in _NEXT if status != "pending")
"""What a payment can be told to become; a timetable may not retry, it would never end."""
FINAL = frozenset({*_ENDS, "retried"})
UNPAID = frozenset({"pending", "initiated", "opened"})
"""What a payer can still decide about, and what expires."""

_NO_REASON = "Declined by the emulator"


@attrs.frozen(kw_only=True)
class Change:
    """One step of a payment's life.

    `retry_payment_id` is set on `retried`; `previous` is None for the payment's beginning.
    """

    payment: EmulatedPayment
    previous: str | None
    at_us: int
    retry_payment_id: str | None = None


class IllegalChange(ValueError):
    """A payment cannot go from the status it has to that one."""


def next_statuses(payment: EmulatedPayment) -> tuple[str, ...]:
    """What the payment can become."""
    return _NEXT[payment.status]


def check_change(payment: EmulatedPayment, status: str) -> None:
    """Whether the status may come next.

    Raises:
        IllegalChange: It may not; the message says what may.
    """
    allowed = _NEXT[payment.status]
    if status not in allowed:
        choices = " or ".join(allowed) or "nothing any more"
        raise IllegalChange(
            f"payment {payment.payment_id} is {payment.status} and can become {choices}, "
            f"not {status!r}"
        )


def changed(
    payment: EmulatedPayment, status: str, now_us: int, reason: str | None
) -> EmulatedPayment:
    """The payment in its next status.

    Args:
        now_us: When it changes; becomes `payment_date` where it ends.
        reason: Why it failed or was rejected.

    Raises:
        IllegalChange: That status cannot come next.
    """
    check_change(payment, status)
    if status == "failed":
        reason = reason or _NO_REASON
    elif status != "rejected":
        reason = payment.failure_reason
    return attrs.evolve(
        payment,
        status=status,
        failure_reason=reason,
        payment_date_us=max(now_us, payment.created_at_us) if status in FINAL else None,
        payment_method=payment.payment_method or ("WALLET" if status not in UNPAID else None),
        receiving_method=payment.receiving_method or ("WALLET" if status == SUCCESS else None),
    )
