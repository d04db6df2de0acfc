"""Waiting for payments.

Read it from the bottom up: `subject` (one payment and who waits for it) · `poller` (looks, once for all
who wait) · `wakes` (what webhooks have told) · `tracker` (follows a payment to its end).
"""

from paywint_async._tracking.tracker import PaymentWatch, Tracker
from paywint_async._tracking.wakes import Wakes

__all__ = ["PaymentWatch", "Tracker", "Wakes"]
