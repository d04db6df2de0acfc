"""What an error shows, as the core's tests look at it; a handler, and what calls it."""

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
