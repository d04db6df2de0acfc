"""For each assumption of `paywint doctor`, options of an emulator that contradicts only it."""

from __future__ import annotations

from typing import Any

CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "credentials": {"deviations": ["keys-refused"]},
    "environment": {"deviations": ["another-site"]},
    "proxy and TLS": {"deviations": ["network-login"]},
    "clock": {"deviations": ["clock-behind"]},
    "latency": {"latency": 2.5},
    "sent path": {"sent_path": "/api/user-api/payment/list/sent"},
    "page sizes": {"deviations": ["small-pages"]},
    "order": {"order": "oldest"},
    "totals": {"deviations": ["totals-of-pages"]},
    "null fields": {"deviations": ["null-status"]},
    "amounts": {"deviations": ["amounts-as-text"]},
    "currency": {"deviations": ["euros"]},
    "times": {"deviations": ["times-without-zone"]},
    "ids": {"deviations": ["short-ids"]},
    "get payment": {"deviations": ["get-in-cents"]},
    "shape of a 404": {"deviations": ["missing-is-400"]},
    "shape of a 422": {"deviations": ["invalid-is-400"]},
    "rate-limit headers": {"rate_limit": 5},
    "compression": {"deviations": ["always-gzip"]},
    "keep-alive": {"deviations": ["connections-close"]},
    "webhook unit": {"deviations": ["other-webhook-amounts"]},
    "readability": {"deviations": ["amounts-twice"]},
}
