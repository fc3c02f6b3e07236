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


def inert(text: str) -> str:
    """Return a text that stays text, whatever it is shown as.

    Pictures that are written plainly go. What else begins like one is taken apart by a space, and
    so are links, whose addresses then stand beside their words, and HTML: within a block of it
    Markdown leaves all tags alone, so each `<` before a name counts.
    """
    text = _PICTURE_HEAD.sub("! ", _PICTURE.sub(r"[\1]", text))
    return _TAG.sub("< ", _LINK.sub("] ", text))
