"""Makes the keys by which texts are matched: an invoice number in a description, or all of it. Pure.

A description contains an invoice number if it contains its words consecutively, each as a whole word.
A word is letters and digits, also joined by ``-``, ``_``, ``/``, ``.`` or ``+``; case is ignored.
So ``Invoice inv-12, June.`` contains ``INV-12``; ``INV-123`` and ``INV-12-B`` do not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_MARKS = "'\"= \t\r\n"
_WORD = re.compile(r"[^\W_]+(?:[-_/.+]+[^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Return the words of a text, case-folded."""
    return _WORD.findall(text.casefold())


def invoice_key(invoice: str | None) -> str | None:
    """Return the key of an invoice number; None if it has no letter and no digit."""
    return " ".join(words_of(invoice or "")) or None


def description_key(description: str | None) -> str | None:
    """Return the key of a whole description: without case and repeated spaces.

    Quotes, apostrophes and equals signs around it are ignored, too: spreadsheets use them to keep a
    text from being a formula, so a tool may have added or removed them.
    """
    return " ".join((description or "").casefold().strip(_MARKS).split()) or None


class InvoiceNumbers:
    """The invoice numbers of a ledger, which are searched for in descriptions.

    Args:
        keys: of the invoice numbers.
    """

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._longest = max((key.count(" ") + 1 for key in self._keys), default=0)

    def within(self, description: str | None) -> frozenset[str]:
        """Return the keys of the invoice numbers that a description contains."""
        if not self._keys or not description:
            return frozenset()
        return self._keys.intersection(self._phrases(words_of(description)))

    def _phrases(self, words: list[str]) -> Iterator[str]:
        for start in range(len(words)):
            for end in range(start + 1, min(start + self._longest, len(words)) + 1):
                yield " ".join(words[start:end])
