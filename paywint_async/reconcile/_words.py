"""The words in ledgers for totals, directions and statuses. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

DIRECTION_WORDS = {
    **dict.fromkeys(
        (
            "sent",
            "debit",
            "dr",
            "d",
            "dbit",
            "out",
            "outgoing",
            "outbound",
            "withdrawal",
            "s",
            "soll",
        ),
        "sent",
    ),
    **dict.fromkeys(
        (
            "received",
            "credit",
            "cr",
            "c",
            "crdt",
            "in",
            "incoming",
            "inbound",
            "deposit",
            "h",
            "haben",
        ),
        "received",
    ),
}
# Words of processors and banks; any other status is not paid, unless an option names it.
PAID_WORDS = (
    *("success", "succeeded", "successful", "paid", "completed", "complete", "settled", "cleared"),
    *("posted", "captured", "bezahlt", "gebucht", "payé", "pagado", "pagato", "betaald", "pago"),
)
_TOTALS = re.compile(
    r"(?:grand |sub[- ]?|net )?total(?:s|en|e|es)?\b|summe\b|gesamt|zwischensumme|endsumme|"
    r"sum(?:ma)?\b|totaal\b|somma\b|suma\b|soma\b|"
    r"(?:opening|beginning|starting|closing|ending|final|available|ledger|previous|running) balance|"
    r"balance (?:brought|carried|forward|b/f|c/f|as of)|brought forward|carried forward|"
    r"anfangssaldo|endsaldo|kontostand|saldo\b|solde\b|alter saldo|neuer saldo|saldovortrag",
    re.IGNORECASE,
)


def is_total(values: Sequence[Any]) -> bool:
    """Return whether the first text of a row is a word for a total or a balance."""
    first = next((text for value in values if (text := str(value or "").strip())), "")
    return _TOTALS.match(first) is not None


def is_balance(values: Sequence[Any]) -> bool:
    """Return whether any text of a row begins with such a word."""
    return any(isinstance(value, str) and _TOTALS.match(value.strip()) for value in values)
