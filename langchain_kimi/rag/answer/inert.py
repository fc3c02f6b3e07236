"""Text of a model as it may be shown: as Markdown or HTML it loads nothing and hides no address.

A page can ask the model to repeat a picture or a link whose address carries what else it has read.
Whoever shows a picture loads it; whoever sees `[the report](…)` may follow it.
"""

from __future__ import annotations

import re

_PICTURE = re.compile(r"!\[([^\[\]\n]*)\]\([^()\n]*\)")
_PICTURE_HEAD = re.compile(r"!(?=\[)")
_LINK = re.compile(r"\](?=[(:])")
_TAG = re.compile(r"<(?=[a-z/!?])", re.IGNORECASE)
_BEGINNINGS = ("!", "]", "<")


def inert(text: str) -> str:
    """Return a text that stays text, whatever it is shown as.

    Pictures that are written plainly go. What else begins like one is taken apart by a space, and
    so are links, whose addresses then stand beside their words, and HTML: within a block of it
    Markdown leaves all tags alone, so each `<` before a name counts.
    """
    return _taken_apart(_PICTURE.sub(r"[\1]", text))


class InertStream:
    """Takes a text apart that arrives in pieces; of a picture its address stays, as words."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what may be shown by now; a sign that may begin something waits for the next."""
        text = self._held + piece
        self._held = text[-1:] if text.endswith(_BEGINNINGS) else ""
        return _taken_apart(text).removesuffix(self._held)

    def end(self) -> str:
        """Return the sign that waited."""
        held, self._held = self._held, ""
        return held


def _taken_apart(text: str) -> str:
    return _TAG.sub("< ", _LINK.sub("] ", _PICTURE_HEAD.sub("! ", text)))
