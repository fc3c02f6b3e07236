"""Text from models and files, made safe for a terminal."""

import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, C1 too: colours, titles, the cursor
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    "\u200b\u2028\u2029\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # unseen
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """Drop what must not steer the terminal or reorder and hide words; keep lines and tabs."""
    return _SURROGATES.sub("\ufffd", _STEERING.sub("", text))


def revealed(text: str, *, keep: str = "") -> str:
    r"""Write every character that cannot be seen as an escape, such as `\x1b` or `\u202e`.

    Args:
        text: What a person is about to judge.
        keep: Characters to leave as they are, such as a line break.
    """
    return "".join(
        char if char.isprintable() or char in keep else ascii(char)[1:-1] for char in text
    )


def shortened(text: str, limit: int) -> str:
    """Cut a text to a length."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
