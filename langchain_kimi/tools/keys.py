"""Keys of the caller's environment in what a command wrote.

A command that runs as the caller's user can read what the user can, the environment of its parent
process included. So its output is looked through before a model, a transcript or a checkpoint gets
it. That stops accidents, and no command that spells a key in another way.
"""

import os
import re
from collections.abc import Mapping

MASK = "[a key of the caller's environment]"

_NAMES = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
_SHORTEST = 12  # shorter values, such as `not-needed`, are words of ordinary texts
_SHORTEST_PIECE = 8


def without_keys(text: str) -> str:
    """Return a text in which the keys of the environment are masked."""
    for start, end in reversed(key_spans(text)):
        text = f"{text[:start]}{MASK}{text[end:]}"
    return text


def key_spans(text: str, environment: Mapping[str, str] = os.environ) -> list[tuple[int, int]]:
    """Return where keys stand in a text, in order; the text may end within one.

    Args:
        text: What a command wrote, perhaps cut at a limit.
        environment: The variables; those whose names end like a key's hold the keys.
    """
    values = {value for name, value in environment.items() if name.upper().endswith(_NAMES)}
    keys = sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
    if not keys:
        return []
    spans = [match.span() for match in re.finditer("|".join(map(re.escape, keys)), text)]
    begun = max(_begun(text, key) for key in keys)
    if begun and (not spans or spans[-1][1] <= len(text) - begun):
        spans.append((len(text) - begun, len(text)))
    return spans


def _begun(text: str, key: str) -> int:
    """Return how many characters of a key the text ends with, 0 for too few to tell."""
    sizes = range(len(key) - 1, _SHORTEST_PIECE - 1, -1)
    return next((size for size in sizes if text.endswith(key[:size])), 0)
