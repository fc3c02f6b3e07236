"""What came of a mock-up: the best page, and every attempt with its picture."""

from __future__ import annotations

from html import escape
from typing import Literal

from pydantic import BaseModel, ConfigDict

Ending = Literal["alike", "not_better", "rounds", "no_page"]

_STYLE = (
    ".kimi-page{font:14px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff}"
    ".kimi-page figure{display:inline-block;margin:.5rem;vertical-align:top;max-width:46%}"
    ".kimi-page img{max-width:100%;border:1px solid #ccc}"
    ".kimi-page pre{white-space:pre-wrap;background:#f6f6f6;padding:.75rem}"
)
_ENDINGS = {
    "alike": "alike enough",
    "not_better": "stopped, as the last attempt was no better",
    "rounds": "stopped after all rounds",
    "no_page": "stopped, as the last reply held no page that renders",
}


class Attempt(BaseModel):
    """A page and how it looked."""

    model_config = ConfigDict(frozen=True)

    html: str
    screenshot: str = ""
    """A PNG in base64; empty where the page could not be rendered."""
    likeness: float = 0.0
    """From 0 to 1; see `likeness`."""
    error: str = ""
    """Why there is no picture."""


class VisualCode(BaseModel):
    """The result of a mock-up."""

    model_config = ConfigDict(frozen=True)

    html: str
    """The page that was most alike; empty when no reply held one that renders."""
    likeness: float
    ended: Ending
    attempts: tuple[Attempt, ...]
    mock_up: str
    """The mock-up as compared, a PNG in base64."""

    def to_html(self) -> str:
        """Return a report with mock-up and attempts beside each other; pages stand as source."""
        return (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv='
            '"Content-Security-Policy" content="default-src \'none\'; img-src data:; style-src '
            f"'unsafe-inline'\"><title>Mock-up to page</title></head><body>{self._repr_html_()}"
            "</body></html>\n"
        )

    def _repr_html_(self) -> str:
        shown = "".join(_figure(n, one) for n, one in enumerate(self.attempts, 1))
        return (
            f'<style>{_STYLE}</style><section class="kimi-page">'
            f"<p><b>{self.likeness:.0%} alike</b>, {_ENDINGS[self.ended]}</p>"
            f"<figure><figcaption>Mock-up</figcaption>{_image(self.mock_up)}</figure>{shown}"
            f"<details><summary>Source</summary><pre>{escape(self.html)}</pre></details></section>"
        )


def _figure(number: int, attempt: Attempt) -> str:
    told = escape(attempt.error) or f"{attempt.likeness:.0%} alike"
    picture = _image(attempt.screenshot) if attempt.screenshot else ""
    return f"<figure><figcaption>Attempt {number}: {told}</figcaption>{picture}</figure>"


def _image(png: str) -> str:
    return f'<img alt="" src="data:image/png;base64,{png}">'
