"""The vocabulary as stems, to be met with the stems of a text."""

from __future__ import annotations

from langchain_kimi.testing.standin.vocabulary import (
    ACTIONS,
    ASKS_A_NUMBER,
    LOOK_UP,
    OVERVIEW,
    SIDE_EFFECTS,
    SYNONYMS,
    TOO_COMMON,
)
from langchain_kimi.testing.standin.words import stem, stem_set

ACTING = stem_set(SIDE_EFFECTS)
LOOKING_UP = stem_set(LOOK_UP)
TO_FIND = stem_set(ACTIONS["search"])
ABOUT_ALL = stem_set(OVERVIEW)
ASKING_A_NUMBER = stem_set(ASKS_A_NUMBER)
NOT_WORTH_A_SEARCH = stem_set(TOO_COMMON)
ALIKE = tuple(stem_set(group) for group in SYNONYMS)
MEANT_BY = {stem(name): stem_set(actions) for name, actions in ACTIONS.items()}


def alike(word: str) -> set[str]:
    """Return a stem and those that answer for it."""
    return {word}.union(*(group for group in ALIKE if word in group))
