"""Writes the report as one self-contained HTML file, which loads nothing from anywhere.

Needs Jinja2, which the extra ``cli`` installs. Names and descriptions are untrusted text: all of them
are escaped, and the page's content security policy allows only its own script.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from paywint_async import ConfigurationError
from paywint_async.export._errors import translated
from paywint_async.export._files import put_in_place, replacement, temporary_path, write_all
from paywint_async.reconcile._as_json import kinds_of
from paywint_async.reconcile._as_text import conclusion, matched_by, payout_lines, set_aside
from paywint_async.reconcile._comparison import Report
from paywint_async.reconcile._explanation import money, signed
from paywint_async.reconcile._plots import Plot, plots
from paywint_async.reconcile._records import Difference, Evidence, Kind, LedgerRow, PaymentFact

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_DIFFERENCES = 1000  # more are slow to sort in a browser
_FEW = 5  # rows or payments shown of one difference


def write_html(report: Report, path: str) -> None:
    """Write the page, atomically.

    Raises:
        ExportError: the file cannot be written.
        ConfigurationError: Jinja2 is not installed.
    """
    page = make_page(report)
    real_path = os.path.realpath(path)
    with translated(f"cannot write {path}"), replacement(real_path) as fd:
        write_all(fd, page)
        put_in_place(fd, temporary_path(real_path), real_path)
    os.close(fd)


def make_page(report: Report) -> bytes:
    """Return the page in UTF-8. Raises ConfigurationError if Jinja2 is not installed."""
    environment = _environment()
    style, script = (_read(name) for name in ("report.css", "report.js"))
    differences = report.result.differences
    text = environment.get_template("report.html").render(
        report=report,
        options=report.options,
        conclusion=conclusion(report),
        style=style,
        script=script,
        policy=_policy(style, script),
        kinds=[(Kind(name), count) for name, count in kinds_of(report).items() if count],
        statements=report.statements,
        plots={each: _plots_of(report, each) for each in report.options.directions},
        lines=[_Line.of(each, report) for each in differences[:_MOST_DIFFERENCES]],
        total=len(differences),
        set_aside=list(set_aside(report)),
        matched_by=matched_by(report),
        payouts=list(payout_lines(report)),
    )
    return text.encode("utf-8", "replace")


@attrs.frozen(kw_only=True)
class _Line:
    """A difference as a line of the table; the fields ``…_key`` are its sort keys."""

    kind: Kind
    places: tuple[str, ...]
    place_key: int
    day: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    evidence: str
    ledger: tuple[str, ...]
    ledger_key: str
    paywint: tuple[str, ...]
    paywint_key: str
    why: str
    sources: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, difference: Difference, report: Report) -> _Line:
        rows, payments = difference.rows, difference.payments
        is_repeated = difference.kind is Kind.DUPLICATE
        items: list[LedgerRow | PaymentFact] = [*rows, *payments]
        evidence = difference.evidence
        amounts = [each[0].amount if each else "" for each in (rows, payments)]
        return cls(
            kind=difference.kind,
            places=_few(
                f"repeats {row.place}" if is_repeated and row is not rows[0] else str(row.place)
                for row in rows
            ),
            place_key=rows[0].place if rows else 0,
            day=next((str(each.day) for each in items if each.day), ""),
            ids=_few(dict.fromkeys(name for each in items if (name := _id_of(each)))),
            texts=_few(dict.fromkeys(text for each in items for text in _texts_of(each))),
            evidence="" if evidence in (None, Evidence.ID) else f"matched by {evidence.words}",
            ledger=_counted(
                _shown_value(difference, row) for row in rows[: 1 if is_repeated else None]
            ),
            ledger_key=str(amounts[0]),
            paywint=_counted(_shown_value(difference, each) for each in payments),
            paywint_key=str(amounts[1]),
            why=difference.explanation,
            sources=tuple(
                (f"{report.unit} {row.place}", report.sources[row.place])
                for row in rows[:_FEW]
                if row.place in report.sources
            ),
        )


def _shown_value(difference: Difference, item: LedgerRow | PaymentFact) -> str:
    return item.status if difference.kind is Kind.STATUS else money(item.amount)


def _id_of(item: LedgerRow | PaymentFact) -> str:
    return str(item.payment_id or "")


def _texts_of(item: LedgerRow | PaymentFact) -> Iterator[str]:
    """Yield the texts by which people recognise the item: invoice or name, and description."""
    names = (item.invoice,) if isinstance(item, LedgerRow) else (item.party,)
    return (text for text in (*names, item.description) if text)


def _few(texts: Iterable[str]) -> tuple[str, ...]:
    texts = tuple(texts)
    more = len(texts) - _FEW
    return texts if more <= 0 else (*texts[:_FEW], f"and {more:,} more")


def _counted(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each text once, with its number of occurrences if it is repeated."""
    counts = Counter(texts)
    return _few(f"{count:,} × {text}" if count > 1 else text for text, count in counts.items())


def _plots_of(report: Report, direction: str) -> list[Plot]:
    return plots(direction, report.activities[direction], report.result.paywint)


def _policy(style: str, script: str) -> str:
    """Return a content security policy that allows only the page's own style and script, by digest."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8").strip()


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ModuleNotFoundError:
        raise ConfigurationError(
            "the HTML report needs an extra: pip install 'paywint-async[cli]'"
        ) from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        money=money, signed=signed, sentence=lambda text: text[:1].upper() + text[1:]
    )
    return environment
