"""The reports of webhooks, shared by all trackers of a client and its views."""

from __future__ import annotations

import threading
from typing import Protocol
from uuid import UUID
from weakref import WeakSet

KNOWN_RETRIES = 10_000  # the latest ones are kept, about 2 MB


class _Listener(Protocol):
    def look_at(self, payment_id: UUID) -> None: ...


class Wakes:
    """Distributes reports of changed payments, and stores reported retries. Thread-safe."""

    def __init__(self) -> None:
        self._listeners: WeakSet[_Listener] = WeakSet()
        self._retries: dict[UUID, UUID] = {}
        self._lock = threading.Lock()
        self.has_begun = False

    def add(self, listener: _Listener) -> None:
        """Notifies the listener of each payment from now on."""
        with self._lock:
            self._listeners.add(listener)

    def tell(self, payment_id: UUID, retry_payment_id: UUID | None) -> None:
        """Records a webhook of a payment, which may name its retry."""
        with self._lock:
            self.has_begun = True
            if retry_payment_id is not None:
                self._retries.pop(payment_id, None)
                self._retries[payment_id] = retry_payment_id
                if len(self._retries) > KNOWN_RETRIES:
                    del self._retries[next(iter(self._retries))]
            listeners = list(self._listeners)
        for listener in listeners:
            listener.look_at(payment_id)

    def retry_of(self, payment_id: UUID) -> UUID | None:
        """The payment that a webhook named as the retry of this one, or None."""
        return self._retries.get(payment_id)
