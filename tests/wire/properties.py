"""How hard the property tests of this folder try."""

from __future__ import annotations

from hypothesis import settings

thorough = settings(deadline=None, max_examples=60)
"""No deadline: a busy machine is no failure."""
