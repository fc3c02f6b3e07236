"""How much evidence goes before the model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EvidenceBudget:
    """Tokens for pages, crops and frames, the question and the answer not counted.

    Kimi's window of 262,144 tokens holds 96 letter pages at 144 dpi without their text, or about
    130 at 72 dpi with it. What is sent is paid for with each question; an endpoint that caches
    prefixes charges less for a follow-up.
    """

    tokens: int = 96_000
    """Text and pictures together."""
    visual: int | None = None
    """At most this many of them for pictures; None leaves the split to the packer. 0 sends text."""
    text: int | None = None
    """At most this many of them for text."""
    crops: int = 4
    """Regions that are shown once more, sharp."""

    def __post_init__(self) -> None:
        for name in ("tokens", "visual", "text"):
            value = getattr(self, name)
            if value is not None and value < (1 if name == "tokens" else 0):
                msg = f"{name}={value}: a budget is a count of tokens, such as 96_000"
                raise ValueError(msg)
