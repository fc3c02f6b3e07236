"""How much evidence goes before the model."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_kimi.limits import check_count


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
        """Check each count.

        Raises:
            KimiInvalidInputError: One is no whole number, or below what it may be.
        """
        for name in ("tokens", "visual", "text", "crops"):
            value = getattr(self, name)
            if value is None and name in ("visual", "text"):
                continue
            least = 1 if name == "tokens" else 0
            check_count(name, value, least=least, advice="Give a count, such as tokens=96_000.")
