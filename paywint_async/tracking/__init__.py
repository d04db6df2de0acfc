"""Layer 4: waiting for payments: `poller` looks, once for all who wait; `tracker` follows a payment."""

from paywint_async.tracking.tracker import PaymentWatch, Tracker

__all__ = ["PaymentWatch", "Tracker"]
