"""Judges the unit of a recorded webhook's amount, against the amount that Get Payment returns."""

from __future__ import annotations

from decimal import Decimal

from paywint_async._doctor.delivery import RecordedDelivery
from paywint_async._doctor.observations import Observations, QuestionKind
from paywint_async._doctor.records import times_ten
from paywint_async._doctor.verdicts import Judgement, confirmed, contradicted, not_seen

_REFUND = "refund"


def judge_webhook_unit(observations: Observations) -> Judgement:
    """Checks that the webhook's amount is the payment's, in cents or in dollars."""
    delivery = observations.delivery
    assert delivery is not None  # the assumption needs one, and is not judged without
    if delivery.event.payment_id is None:
        return not_seen("the event is of no payment that can be asked for")
    if delivery.event.amount_sent is None:
        return not_seen("the event has no amount")
    asked = observations.of_kind(QuestionKind.WEBHOOK_PAYMENT)
    amount = next((each.records[0].get("amount") for each in asked if each.records), None)
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        is_unknown = any(each.exchange and each.exchange.status == 404 for each in asked)
        reason = "this account has no such payment" if is_unknown else observations.reason(asked)
        return not_seen(reason)
    return _compare(delivery, _number(delivery.event.amount_sent), Decimal(amount))


def _number(digits: str) -> Decimal | None:
    """Parses a number; returns None if its exponent does not fit a Decimal."""
    try:
        return Decimal(digits)
    except ArithmeticError:
        return None


def _compare(delivery: RecordedDelivery, sent: Decimal | None, amount: Decimal) -> Judgement:
    signature = ", ".join(delivery.signature_headers)
    more = f"; headers that look like a signature: {signature}" if signature else ""
    if amount and sent == times_ten(amount, 2):
        return confirmed(f'it is in cents: pass amounts="cents" to WebhookReceiver{more}')
    if not amount:
        return not_seen(f"the payment is of 0, which is the same in cents and dollars{more}")
    if _REFUND in delivery.event.event:
        # It may be a part of the payment, or a fee: equal digits do not show the unit.
        return not_seen(f"a refund or its fee need not be of the payment's amount{more}")
    if sent == amount:
        return confirmed(f'it is in dollars: pass amounts="dollars" to WebhookReceiver{more}')
    return contradicted(f"it is the payment's amount neither in cents nor in dollars{more}")
