"""Waiting for payments.

Read it from the bottom up: `subject` (one payment and its waiters) · `poller` (requests a payment once
for all its waiters) · `wakes` (what webhooks have reported) · `tracker` (follows a payment to its end).
"""

from paywint_async._tracking.tracker import PaymentWatch, Tracker
from paywint_async._tracking.wakes import Wakes

__all__ = ["PaymentWatch", "Tracker", "Wakes"]
