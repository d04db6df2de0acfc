"""Finds the columns of a ledger: by the given names, or by the names that tools and banks use. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import attrs

from paywint_async.reconcile._errors import LedgerError

# The first name found in the header is used. Of the date columns of Paywint's own exports, the first
# with a value in the row is used. Names are compared in lower case, with each run of blanks and
# underscores as one space.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("payment id", "paywint payment id", "paywint id"),
    "invoice": (
        *("invoice number", "invoice", "invoice no", "invoice no.", "invoice #", "invoice num"),
        *("rechnungsnummer", "rechnungsnr", "rechnungsnr.", "rechnung", "numéro de facture"),
        *("facture", "factuurnummer", "número de factura", "numero fattura"),
    ),
    "description": (
        *("description", "memo/description", "transaction description", "memo", "details"),
        *("payment details", "narrative", "narration", "particulars", "subject", "remarks", "note"),
        *("notes", "message", "original description", "transaction details", "payee memo"),
        *("verwendungszweck", "buchungstext", "beschreibung", "libellé", "omschrijving"),
        *("concepto", "descripción", "descrizione", "descrição", "histórico"),
    ),
    "amount": (
        *("amount", "gross", "gross amount", "amount (one column)", "transaction amount"),
        *("payment amount", "amount (usd)", "amount usd", "usd amount", "amount in usd"),
        *("amount paid", "total amount", "betrag", "betrag (usd)", "umsatz", "montant"),
        *("importe", "importo", "bedrag", "valor", "monto"),
    ),
    "date": (
        *("payment date", "created at", "date", "transaction date", "posting date", "post date"),
        *("posted date", "date posted", "booking date", "created (utc)", "created date (utc)"),
        *("created", "created date", "date (utc)", "transaction date/time", "date/time"),
        *("datetime", "timestamp", "txn date", "trans date", "trans. date", "tran date", "paid at"),
        *("date paid", "value date", "buchungstag", "buchungsdatum", "datum", "belegdatum"),
        *("wertstellung", "valuta", "valutadatum", "date opération", "date de l'opération"),
        *(
            "date d'opération",
            "date comptable",
            "fecha",
            "fecha operación",
            "data",
            "data operação",
        ),
        *("data contabile", "boekdatum", "transactiedatum"),
        *("settlement date", "effective date", "invoice date"),
    ),
    "status": ("status", "payment status", "transaction status"),
    "direction": (
        *("direction", "credit/debit", "debit/credit", "dr/cr", "cr/dr", "d/c", "c/d"),
        *("credit or debit", "credit debit indicator", "debit credit indicator", "balance impact"),
        *("transaction type", "type", "soll/haben", "s/h"),
    ),
    "currency": ("currency", "currency code", "transaction currency", "ccy", "währung", "devise"),
    "debit": (
        *("debit", "debit amount", "debits", "debit amount (two column approach)", "withdrawal"),
        *("withdrawals", "withdrawal amount", "withdrawal amt.", "withdrawal amount (inr)"),
        *("paid out", "money out", "amount debit", "soll", "débit", "debet", "cargo"),
        "debit (usd)",
    ),
    "credit": (
        *("credit", "credit amount", "credits", "credit amount (two column approach)", "deposit"),
        *("deposits", "deposit amount", "deposit amt.", "deposit amount (inr)", "paid in"),
        *("money in", "amount credit", "haben", "crédit", "abono", "credit (usd)"),
    ),
    "fee": (),
}
_OWN_DATES = ("payment date", "created at", "date")
# Used only if their values are ids of payments.
_MAYBE_IDS = (
    *("id", "transaction id", "reference", "ref", "external id", "payment reference", "payment"),
    *(
        "transaction reference",
        "bank reference",
        "customer reference",
        "check or slip #",
        "num",
        "number",
    ),
)
_ONLY_REPORTED = (
    *("fee", "fees", "fee amount", "transaction fee", "net", "net amount", "reference", "ref"),
    *("available on (utc)", "due date"),
)
_BLANKS = re.compile(r"[\s_]+")
_MOST_SHOWN = 50  # columns in a message


@attrs.frozen(kw_only=True)
class Columns:
    """The names of a ledger's columns; upper and lower case are the same.

    None: the column is found by its usual names (`paywint reconcile --explain` shows which is used).
    An empty name: no column is used.

    Args:
        debit: column of sent amounts, and ``credit`` of received amounts, if the ledger has no single
            column of amounts.
        fee: column of a fee that was deducted from each amount; the comparison adds it back.
    """

    id: str | None = None
    invoice: str | None = None
    description: str | None = None
    amount: str | None = None
    date: str | None = None
    status: str | None = None
    direction: str | None = None
    currency: str | None = None
    debit: str | None = None
    credit: str | None = None
    fee: str | None = None


@attrs.frozen(kw_only=True)
class Places:
    """The index of each column in a row; the first of ``dates`` with a value is used.

    Either ``amount`` is set, or ``debit`` or ``credit`` or both. ``maybe_ids`` are columns that
    often hold the ids of payments, and ``maybe_directions`` columns that often hold words for a
    direction: their values decide. ``unused`` are other columns with usual names, which are not read.
    """

    names: tuple[str, ...]
    id: int | None = None
    invoice: int | None = None
    description: int | None = None
    amount: int | None = None
    debit: int | None = None
    credit: int | None = None
    fee: int | None = None
    dates: tuple[int, ...] = ()
    status: int | None = None
    direction: int | None = None
    currency: int | None = None
    maybe_ids: tuple[int, ...] = ()
    maybe_directions: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.names)

    @property
    def amounts(self) -> list[int]:
        """The indexes of the columns of amounts."""
        found = (self.amount, self.debit, self.credit)
        return [each for each in found if each is not None]

    @property
    def used(self) -> list[int]:
        """The indexes of all columns that are read."""
        single = (self.id, self.invoice, self.description, self.status, self.direction)
        more = {each for each in (*single, self.currency, self.fee) if each is not None}
        return sorted({*self.amounts, *self.dates, *more})

    @property
    def unused(self) -> list[str]:
        """The columns with usual names that are not read."""
        used = set(self.used)
        return [
            name
            for place, name in enumerate(self.names)
            if place not in used and _normal(name) in _ALL_USUAL
        ]

    def is_usual(self, place: int) -> bool:
        """Return whether the column has the name that it has in Paywint's exports."""
        return self.names[place].strip().casefold() in _OWN_NAMES


_OWN: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_USUAL, ()),
    "id": ("payment id",),
    "invoice": ("invoice number", "invoice"),
    "description": ("description",),
    "amount": ("amount",),
    "date": _OWN_DATES,
    "status": ("status",),
    "currency": ("currency",),
}
_ALL_USUAL = {*_ONLY_REPORTED, *(name for names in _USUAL.values() for name in names)}
_OWN_NAMES = {
    *("payment_id", "invoice_number", "invoice", "description", "amount", "payment_date"),
    *("created_at", "date", "status", "direction", "currency"),
}


def find_columns(
    header: Sequence[str], columns: Columns, ledger: str, *, only_own_names: bool = False
) -> Places:
    """Find the columns in a header.

    Args:
        header: the names of all columns.
        columns: the given names.
        ledger: its name, for messages.
        only_own_names: whether only the names of Paywint's own exports count as usual.

    Raises:
        LedgerError: a needed column is missing or there twice, or no column can identify a payment.
    """
    finder = _Finder(header, columns, ledger, _OWN if only_own_names else _USUAL)
    amount, debit, credit = finder.find_amounts()
    found = {role: finder.first(role) for role in ("invoice", "description", "status", "currency")}
    own_id, direction = finder.first("id"), finder.find_direction()
    dates = finder.find_dates()
    looks_for_ids = own_id is None and columns.id is None and not only_own_names
    maybe_ids = finder.maybe_ids() if looks_for_ids else ()
    if not maybe_ids and not dates and {own_id, found["invoice"], found["description"]} == {None}:
        problem = "has no column of ids, invoices, descriptions or dates"
        raise LedgerError(ledger, f"{problem}; {finder.there_are}", hint=_NAME_ONE)
    return Places(
        names=tuple(header),
        id=own_id,
        amount=amount,
        debit=debit,
        credit=credit,
        fee=finder.first("fee"),
        dates=dates,
        direction=direction,
        maybe_ids=maybe_ids,
        maybe_directions=finder.maybe_directions() if direction is None else (),
        **found,
    )


_NAME_ONE = "name one with --date-column, --description-column, --invoice-column or --id-column"


class _Finder:
    """Finds columns by their names; a needed name must be unique."""

    def __init__(
        self,
        header: Sequence[str],
        columns: Columns,
        ledger: str,
        usual: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._usual = usual
        self._exact = [name.strip().casefold() for name in header]
        self._names = [_normal(name) for name in header]
        self._columns = columns
        self._ledger = ledger
        more = f", and {len(header) - _MOST_SHOWN:,} more" if len(header) > _MOST_SHOWN else ""
        self.there_are = f"there are {', '.join(map(repr, header[:_MOST_SHOWN]))}{more}"

    def all(self, role: str) -> Iterator[int]:
        """Yield the indexes of a role's columns, in the order of preference."""
        given: str | None = getattr(self._columns, role)
        if given is None:
            for name in self._usual[role]:
                is_clear = self._names.count(name) == 1
                place = self._place(name, self._names) if is_clear or name in _OWN[role] else None
                if place is not None:
                    yield place
        elif given.strip():
            place = self._place(given.strip().casefold(), self._exact)
            place = self._place(_normal(given), self._names) if place is None else place
            if place is None:
                raise LedgerError(self._ledger, f"is not there; {self.there_are}", column=given)
            yield place

    def first(self, role: str) -> int | None:
        return next(self.all(role), None)

    def find_amounts(self) -> tuple[int | None, int | None, int | None]:
        """Find the column of amounts, or else those of debits and credits."""
        columns = self._columns
        is_split = columns.amount is None and not (columns.debit is None and columns.credit is None)
        amount = None if is_split else self.first("amount")
        if amount is not None:
            return amount, None, None
        debit, credit = self.first("debit"), self.first("credit")
        if (
            debit is None and credit is None
        ) or columns.amount == "" == columns.debit == columns.credit:
            problem = "has no column 'amount'"
            hint = "--amount-column names it, or --debit-column and --credit-column"
            raise LedgerError(self._ledger, f"{problem}; {self.there_are}", hint=hint)
        if debit == credit:
            problem = "cannot hold both debits and credits"
            hint = "--debit-column and --credit-column must name two columns"
            raise LedgerError(self._ledger, problem, column=self._exact[debit or 0], hint=hint)
        return None, debit, credit

    def find_dates(self) -> tuple[int, ...]:
        places = tuple(self.all("date"))
        own = tuple(place for place in places if self._names[place] in _OWN_DATES)
        return own or places[:1]

    def find_direction(self) -> int | None:
        """Find the column 'direction'; columns with similar names are used only if their values fit."""
        if self._columns.direction is not None:
            return self.first("direction")
        return self._place("direction", self._names)

    def maybe_ids(self) -> tuple[int, ...]:
        return tuple(n for n, name in enumerate(self._names) if name in _MAYBE_IDS)

    def maybe_directions(self) -> tuple[int, ...]:
        names = () if self._columns.direction is not None else self._usual["direction"]
        return tuple(n for n, name in enumerate(self._names) if name in names)

    def _place(self, name: str, names: list[str]) -> int | None:
        if names.count(name) > 1:
            problem = f"has {names.count(name)} columns of this name"
            raise LedgerError(self._ledger, problem, column=name)
        return names.index(name) if name in names else None


def _normal(name: str) -> str:
    """Normalise a name; also without the asterisk with which Xero marks required columns."""
    return _BLANKS.sub(" ", name.strip().lstrip("*").rstrip(":").strip().casefold())
