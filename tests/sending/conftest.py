"""What every test of sending shares: the books must balance after it."""

from __future__ import annotations

from tests.balanced import balanced  # noqa: F401 (a fixture for every test)
