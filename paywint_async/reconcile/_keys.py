"""What of a text identifies a payment: an invoice number within it, or all of it. Pure.

An invoice number stands in a description where all of its words do, in a row, each as a whole word.
A word is letters and digits, also joined by ``-``, ``_``, ``/``, ``.`` or ``+``; capitals do not
count. So ``INV-12`` stands in ``Invoice inv-12, June.`` and not in ``INV-123`` or ``INV-12-B``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_MARKS = "'\"= \t\r\n"
_WORD = re.compile(r"[^\W_]+(?:[-_/.+]+[^\W_]+)*")


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return _WORD.findall(text.casefold())


def invoice_key(invoice: str | None) -> str | None:
    """By which an invoice number is found; None where it has no letter and no digit."""
    return " ".join(words_of(invoice or "")) or None


def description_key(description: str | None) -> str | None:
    """By which a description is found as a whole: blanks and capitals do not count.

    Nor do the quotes, apostrophes and equals signs around it, by which spreadsheets keep a text from
    being a formula: whoever wrote or saved the ledger may have added or removed them.
    """
    return " ".join((description or "").casefold().strip(_MARKS).split()) or None


class InvoiceNumbers:
    """The invoice numbers of a ledger, to be found in descriptions.

    Args:
        keys: of the numbers.
    """

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._longest = max((key.count(" ") + 1 for key in self._keys), default=0)

    def within(self, description: str | None) -> frozenset[str]:
        """Those that stand in a description."""
        if not self._keys or not description:
            return frozenset()
        return self._keys.intersection(self._phrases(words_of(description)))

    def _phrases(self, words: list[str]) -> Iterator[str]:
        for start in range(len(words)):
            for end in range(start + 1, min(start + self._longest, len(words)) + 1):
                yield " ".join(words[start:end])
