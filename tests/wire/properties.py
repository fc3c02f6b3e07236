"""How hard the property tests of this folder try, and how they cut texts."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st

thorough = settings(deadline=None, max_examples=60)
"""No deadline: a busy machine is no failure."""


@st.composite
def pieces_of(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> list[str]:
    """Cut a text anywhere, also into pieces that are empty."""
    text = draw(texts)
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=8))
    return [text[a:b] for a, b in itertools.pairwise([0, *sorted(cuts), len(text)])]
