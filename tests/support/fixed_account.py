"""A server of an account with the given received payments, for commands and clients."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import attrs

_TEXTS = (
    *(
        "Déjeuner d'équipe",
        "Оплата за июнь",
        "Invoice INV-70400",
        "=HYPERLINK(1)",
        "Rent, 3rd floor",
    ),
    *("First line\nsecond line", 'The "blue" one', "", "חשבונית", "-5 % for Ann; net"),
)


@attrs.frozen(kw_only=True)
class Paid:
    """A payment that was received."""

    payment_id: UUID
    amount: Decimal
    when: datetime
    description: str
    payer: str


def month(count: int = 40) -> list[Paid]:
    """Payments of January 2015, newest first, all of different amounts."""
    start = datetime(2015, 1, 1, 9, 41, 48, tzinfo=UTC)
    return [
        Paid(
            payment_id=UUID(int=0x2D7D3433AE14487C << 64 | number),
            amount=Decimal(271 + number * number * 1379 + number * 7) / 100,
            when=start + timedelta(hours=16 * number),
            description=f"{text} {number}" if (text := _TEXTS[number % len(_TEXTS)]) else "",
            payer=f"Customer {number}",
        )
        for number in range(count - 1, -1, -1)
    ]


@contextmanager
def serve_account(payments: Sequence[Paid]) -> Iterator[dict[str, str]]:
    """Serves the account; yields the environment variables of a command that reads it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            page, rows = asked["page_no"], asked["rows_per_page"]
            some = payments[(page - 1) * rows : page * rows] if "received" in self.path else []
            total = len(payments) if "received" in self.path else 0
            body = f'{{"records":[{",".join(map(_json, some))}],"totalRecords":{total}}}'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Writes no log to stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield {
            "PAYWINT_API_KEY": "key",
            "PAYWINT_API_SECRET": "secret",
            "PAYWINT_BASE_URL": f"http://127.0.0.1:{server.server_port}",
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _json(payment: Paid) -> str:
    """A payment as JSON, with the exact digits of its amount."""
    moment = payment.when.isoformat().replace("+00:00", "Z")
    fields = {
        "payment_id": str(payment.payment_id),
        "payer_name": payment.payer,
        "currency": "USD",
        "description": payment.description,
        "created_at": moment,
        "payment_date": moment,
        "status": "success",
    }
    return json.dumps(fields)[:-1] + f', "amount": {payment.amount}}}'
