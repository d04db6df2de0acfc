"""The status transitions of a payment, and their effects on its fields. Pure.

    pending, initiated → opened → processing → settling → success | failed
                    └──────┴──── rejected | expired

A new link is `pending`, as is published. A payment that failed, was rejected or has expired can be
retried: it becomes `retried`, and a new payment with a new id replaces it. A payment that succeeded can
be refunded, completely or in parts; whether that changes the status is not published.
"""

import attrs

from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._wire import cents as _cents

EXPIRED, PROCESSING, RETRIED, SUCCESS = "expired", "processing", "retried", "success"
REFUNDED = "refunded"
_ENDS = ("success", "failed", "rejected", "expired")
_NEXT: dict[str, tuple[str, ...]] = {
    "pending": ("initiated", "opened", "processing", *_ENDS),
    "initiated": ("opened", "processing", *_ENDS),
    "opened": ("processing", *_ENDS),
    "processing": ("settling", "success", "failed"),
    "settling": ("success", "failed"),
    "failed": ("retried",),
    "rejected": ("retried",),
    "expired": ("retried",),
    "success": (),
    "retried": (),
    REFUNDED: (),
}
STATUSES = tuple(_NEXT)
PLANNABLE = tuple(status for status in _NEXT if status not in ("pending", REFUNDED))
"""The statuses that can be scheduled; a timetable with ``retried`` would never end."""
FINAL = frozenset({*_ENDS, "retried", REFUNDED})
UNPAID = frozenset({"pending", "initiated", "opened"})
"""The statuses in which a payer has not decided yet, and which expire."""

_NO_REASON = "Declined by the emulator"


@attrs.frozen(kw_only=True)
class Refund:
    """A refund of a payment or (`is_fee`) of its fee; `amount` is in dollars."""

    refund_transaction_id: str
    amount: str
    is_fee: bool


@attrs.frozen(kw_only=True)
class Change:
    """A change of a payment's status, or a refund.

    `retry_payment_id` is set for `retried`; `previous` is None for a new payment; `refund` is set for
    refunds.
    """

    payment: EmulatedPayment
    previous: str | None
    at_us: int
    retry_payment_id: str | None = None
    refund: Refund | None = None


class IllegalChange(ValueError):
    """A payment cannot change from its status to the requested one."""


def next_statuses(payment: EmulatedPayment) -> tuple[str, ...]:
    """The statuses that the payment can change to."""
    return _NEXT[payment.status]


def check_change(payment: EmulatedPayment, status: str) -> None:
    """Raise if the payment cannot change to the status.

    Raises:
        IllegalChange: It cannot; the message names the possible statuses.
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
        now_us: The time of the change; becomes `payment_date` if the status is final.
        reason: Why it failed or was rejected.

    Raises:
        IllegalChange: It cannot change to that status.
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


def refundable_cents(payment: EmulatedPayment) -> int:
    """The amount that can still be refunded."""
    if payment.status != SUCCESS:
        return 0
    return _cents(payment.amount) - payment.refunded_cents


def refunded(
    payment: EmulatedPayment, cents: int | None, *, is_fee: bool, full_status: str
) -> tuple[EmulatedPayment, int]:
    """The payment after a refund, and the refunded cents.

    Args:
        cents: The amount; None: everything that is not refunded yet.
        is_fee: Whether the fee is refunded, which is possible for any payment that succeeded.
        full_status: The status of a payment that is refunded completely.

    Raises:
        IllegalChange: It did not succeed, or the amount is more than can be refunded.
    """
    left = _cents(payment.amount) - payment.refunded_cents
    given = left if cents is None else cents
    if payment.status != SUCCESS and not (is_fee and payment.status == REFUNDED):
        raise IllegalChange(
            f"payment {payment.payment_id} is {payment.status}: only what succeeded can be refunded"
        )
    if given <= 0 or (given > left and not is_fee):
        raise IllegalChange(
            f"payment {payment.payment_id} has {left / 100:.2f} dollars left to refund, "
            f"not {given / 100:.2f}"
        )
    after = attrs.evolve(payment, refunds=payment.refunds + 1)
    if is_fee:
        return after, given
    is_whole = given == left
    return attrs.evolve(
        after,
        refunded_cents=payment.refunded_cents + given,
        status=full_status if is_whole else payment.status,
    ), given
