"""What an error shows, as the core's tests look at it."""

from core.conftest import shown

__all__ = ["shown"]
