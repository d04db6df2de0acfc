"""The state file: payments that were created or changed, in SQLite.

Only state that does not follow from the seed is written, after each request and change, in one
transaction. The file belongs to one seed, size and order, and to one emulator at a time.
"""

import json
import sqlite3
from datetime import date

import attrs

from paywint_async.emulator._calendar import Calendar
from paywint_async.emulator._clock import Clock
from paywint_async.emulator._history import SavedHistory
from paywint_async.emulator._identity import DIRECTIONS, DirectionName
from paywint_async.emulator._lifecycle import Lifecycle
from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._payment_book import PaymentBook
from paywint_async.emulator._transitions import Change, Refund

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    direction TEXT, rank INTEGER, is_appended INTEGER NOT NULL, facts TEXT NOT NULL,
    PRIMARY KEY (direction, rank)
);
CREATE TABLE IF NOT EXISTS deleted (direction TEXT, rank INTEGER, PRIMARY KEY (direction, rank));
CREATE TABLE IF NOT EXISTS arrivals (
    direction TEXT, first_rank INTEGER, first_us INTEGER NOT NULL, step_us INTEGER NOT NULL,
    PRIMARY KEY (direction, first_rank)
);
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY, payment_id TEXT NOT NULL, facts TEXT NOT NULL, previous TEXT,
    at_us INTEGER NOT NULL, retry_payment_id TEXT, refund TEXT
);
"""


class StateFile:
    """The file of one emulator.

    Args:
        path: Created if missing.
        identity: The options that decide the history, by name; a file with others is refused.

    Raises:
        ValueError: The file is of another emulator, or is not a state file.
    """

    def __init__(self, path: str, identity: dict[str, object]) -> None:
        self._path = path
        self._identity = {name: str(value) for name, value in identity.items()}
        self._saved_facts: dict[str, str] = {}
        self._changes: list[Change] = []
        self._database: sqlite3.Connection | None = None

    def open(self, book: PaymentBook, lifecycle: Lifecycle, clock: Clock) -> None:
        """Restore the account from the file; from then on `save` writes.

        Raises:
            RuntimeError: The account was changed while the file was closed.
        """
        if self._changes or any(book.history(d).has_unsaved for d in DIRECTIONS):
            raise RuntimeError(
                f"payments were changed while {self._path} was closed: "
                "with a state file, change them while the emulator runs"
            )
        try:
            # Does not wait for a lock, which would block the event loop.
            self._database = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._refuse_strangers()
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT;")
            self._add_missing_columns()
            self._check()
            self._load(book, lifecycle, clock)
        except sqlite3.Error as error:
            self.close()
            is_taken = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            why = "is in use by another emulator" if is_taken else "cannot be used"
            raise ValueError(f"the state file {self._path} {why}: {error}") from None
        except ValueError:
            self.close()
            raise

    def note(self, change: Change) -> None:
        """Store a change until the next `save`."""
        self._changes.append(change)

    def save(self, book: PaymentBook, clock: Clock) -> None:
        """Write all changes in one transaction."""
        if self._database is None:
            return
        facts = {"clock": str(clock.added_us), "tokens": str(book.tokens)}
        if book.today is not None:
            facts["today"] = book.today.isoformat()
        for direction in DIRECTIONS:
            facts[f"size {direction}"] = str(book.history(direction).newest_rank)
        has_unsaved = any(book.history(direction).has_unsaved for direction in DIRECTIONS)
        if facts == self._saved_facts and not self._changes and not has_unsaved:
            return
        with self._database:
            self._database.execute("BEGIN")
            self._write_facts(facts)
            for direction in DIRECTIONS:
                self._write_history(direction, book.history(direction).unsaved())
            self._write_changes()
        # After the transaction, so that a failed one is repeated with the next change.
        for direction in DIRECTIONS:
            book.history(direction).mark_saved()
        self._changes, self._saved_facts = [], facts

    def close(self) -> None:
        """Close the file. Idempotent."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _write_history(self, direction: DirectionName, unsaved: SavedHistory) -> None:
        assert self._database is not None
        self._database.executemany(
            "REPLACE INTO payments VALUES (?, ?, ?, ?)",
            [(direction, rank, new, _to_json(p)) for rank, (p, new) in unsaved.payments.items()],
        )
        self._database.executemany(
            "INSERT INTO deleted VALUES (?, ?)", [(direction, rank) for rank in unsaved.deleted]
        )
        self._database.executemany(
            "INSERT INTO arrivals VALUES (?, ?, ?, ?)",
            [(direction, c.first_rank, c.first_us, c.step_us) for c in unsaved.arrivals],
        )

    def _refuse_strangers(self) -> None:
        tables = {name for (name,) in self._execute("SELECT name FROM sqlite_schema")}
        if tables and not tables >= {"facts", "payments", "deleted", "changes"}:
            raise ValueError(f"{self._path} is a database of another program, not a state file")

    def _add_missing_columns(self) -> None:
        """Upgrade a file of 0.1, which had no refunds."""
        columns = {row[1] for row in self._execute("PRAGMA table_info(changes)")}
        if "refund" not in columns:
            self._execute("ALTER TABLE changes ADD COLUMN refund TEXT")

    def _check(self) -> None:
        known = self._read_facts()
        if known:
            known.setdefault("hostile", "True")  # a file of 0.1, which had no other history
        for name, value in self._identity.items():
            if known.get(name, value) != value:
                raise ValueError(
                    f"{self._path} is of an emulator with {name}={known[name]}, not {value}: "
                    "start it with that, or with another state file"
                )
        self._write_facts(self._identity)

    def _load(self, book: PaymentBook, lifecycle: Lifecycle, clock: Clock) -> None:
        facts = self._read_facts()
        clock.restore(int(facts.get("clock", 0)))
        book.tokens = int(facts.get("tokens", 0))
        if "today" in facts:
            book.end_on(date.fromisoformat(facts["today"]))
        for direction in DIRECTIONS:
            history = book.history(direction)
            rows = self._rows("SELECT rank, is_appended, facts FROM payments", direction)
            payments = {rank: (_from_json(text), bool(new)) for rank, new, text in rows}
            history.restore(
                SavedHistory(
                    size=int(facts.get(f"size {direction}", history.newest_rank)),
                    payments=payments,
                    deleted=[rank for (rank,) in self._rows("SELECT rank FROM deleted", direction)],
                    arrivals=self._read_arrivals(direction),
                )
            )
        for timeline in self._read_timelines().values():
            lifecycle.restore(timeline)

    def _read_arrivals(self, direction: DirectionName) -> list[Calendar]:
        rows = self._execute(
            "SELECT first_rank, first_us, step_us FROM arrivals WHERE direction = ? ORDER BY 1",
            (direction,),
        )
        return [
            Calendar(first_rank=first_rank, first_us=first_us, step_us=step_us)
            for first_rank, first_us, step_us in rows
        ]

    def _read_timelines(self) -> dict[str, list[Change]]:
        timelines: dict[str, list[Change]] = {}
        query = (
            "SELECT facts, previous, at_us, retry_payment_id, refund FROM changes ORDER BY number"
        )
        for text, previous, at_us, retry_payment_id, refund in self._execute(query):
            change = Change(
                payment=_from_json(text),
                previous=previous,
                at_us=at_us,
                retry_payment_id=retry_payment_id,
                refund=None if refund is None else Refund(**json.loads(refund)),
            )
            timelines.setdefault(change.payment.payment_id, []).append(change)
        return timelines

    def _write_changes(self) -> None:
        rows = [
            (
                c.payment.payment_id,
                _to_json(c.payment),
                c.previous,
                c.at_us,
                c.retry_payment_id,
                None if c.refund is None else _to_json(c.refund),
            )
            for c in self._changes
        ]
        assert self._database is not None
        self._database.executemany("INSERT INTO changes VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)

    def _read_facts(self) -> dict[str, str]:
        return dict(self._execute("SELECT name, value FROM facts"))

    def _write_facts(self, facts: dict[str, str]) -> None:
        assert self._database is not None
        self._database.executemany("REPLACE INTO facts VALUES (?, ?)", facts.items())

    def _rows(self, query: str, direction: str) -> sqlite3.Cursor:
        return self._execute(f"{query} WHERE direction = ? ORDER BY rank", (direction,))

    def _execute(self, query: str, values: tuple[str, ...] = ()) -> sqlite3.Cursor:
        assert self._database is not None
        return self._database.execute(query, values)


def _to_json(record: EmulatedPayment | Refund) -> str:
    return json.dumps(attrs.asdict(record))


def _from_json(text: str) -> EmulatedPayment:
    return EmulatedPayment(**json.loads(text))
