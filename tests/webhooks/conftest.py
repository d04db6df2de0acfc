"""Fixtures: all text that an error shows, and a handler with its receiver."""

import pytest
from core.conftest import shown
from webhook_posting import Handler, make

__all__ = ["shown"]


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def receiver(handler):
    return make(handler)
