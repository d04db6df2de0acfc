"""Waiting for payments.

Read it from the bottom up: `subject` (one payment and who waits for it) · `poller` (looks, once for all
who wait) · `tracker` (follows a payment to its end).
"""

from paywint_async._tracking.tracker import PaymentWatch, Tracker

__all__ = ["PaymentWatch", "Tracker"]
