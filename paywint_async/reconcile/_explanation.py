"""Explains each difference in a sentence, for people who check the books. Knows no matching."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from paywint_async.reconcile._records import Evidence, Kind, LedgerRow, PaymentFact
from paywint_async.reconcile._totals import Sum, subtract


def money(amount: Decimal) -> str:
    """Format an amount with all of its digits, at least two decimals, and thousands separators."""
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -2:
        return f"{amount:,f}"
    return f"{amount:,.2f}"


def signed(amount: Decimal) -> str:
    """Format an amount as `money`, with a sign unless it is 0."""
    return f"+{money(amount)}" if amount > 0 else money(amount)


def explain_missing_at_paywint(row: LedgerRow, window: int) -> str:
    """Explain why a row has no payment."""
    if row.payment_id is not None:
        return f"Paywint has no {row.direction} payment with this id"
    named = f"no {row.direction} payment names this invoice, and " if row.invoice else ""
    if row.day is None:
        return (
            f"{named or 'the row has no id, and '}without a date it cannot be matched by its amount"
        )
    return f"{named}no unmatched {row.direction} payment of this amount is within {_days(window)} of it"


def explain_missing_in_ledger(payment: PaymentFact) -> str:
    """Explain why a payment is missing in the ledger."""
    return f"{payment.direction} and paid, but no row of the ledger matches it"


def explain_pair(kind: Kind, row: LedgerRow, payment: PaymentFact) -> str:
    """Explain what is different in a pair."""
    if kind is Kind.AMOUNT:
        more = subtract(row.amount, payment.amount)
        return (
            f"the ledger has {money(more.copy_abs())} {'more' if more > 0 else 'less'} than Paywint"
        )
    reason = f" ({payment.reason})" if payment.reason else ""
    return f"the ledger says {row.status}, Paywint says {payment.status}{reason}"


def explain_repeated(row: LedgerRow) -> str:
    """Explain why a row is superfluous."""
    if row.payment_id is not None:
        return "another row names the same payment"
    return "another row has the same content, and there is no second payment for it"


def explain_ambiguous(
    rows: Sequence[LedgerRow], payments: Sequence[PaymentFact], evidence: Evidence
) -> str:
    """Explain why rows and payments are ambiguous."""
    sides = _counted(len(rows), "row"), _counted(len(payments), "payment")
    by = _AMBIGUOUS_BY.get(evidence, "amount and date")
    text = f"{sides[0]} and {sides[1]} fit each other by {by}, in more than one way"
    ledger, paywint = Sum(), Sum()
    for row in rows:
        ledger.take(row.amount)
    for payment in payments:
        paywint.take(payment.amount)
    return f"{text}; count and sum agree" if ledger == paywint else text


_AMBIGUOUS_BY = {
    Evidence.INVOICE: "invoice number",
    Evidence.DESCRIPTION: "description and amount",
}


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count:,} days" if count else "the day"
