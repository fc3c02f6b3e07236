"""Text from models and files, made safe for a terminal."""

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Drop control characters: what a file or a model says must not steer the terminal."""
    return _CONTROLS.sub("", text)


def shortened(text: str, limit: int) -> str:
    """Cut a text to a length."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
