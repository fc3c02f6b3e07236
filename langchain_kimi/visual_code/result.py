"""What came of a mock-up: the best page, and every attempt with its picture."""

from __future__ import annotations

from html import escape
from typing import Literal

from pydantic import BaseModel, ConfigDict

Ending = Literal["alike", "not_better", "rounds", "no_page"]

_STYLE = """
.kimi-page{font:16px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff;max-width:75rem;
margin:0 auto;padding:1rem}
.kimi-page h1{font-size:1.25rem}.kimi-page h2{font-size:1rem;margin:1.5rem 0 .5rem}
.kimi-page .ended{padding:0 .5rem;border-radius:.25rem;font-size:.85rem;background:#fdf0cf}
.kimi-page .alike{background:#dff3e4}.kimi-page .no_page{background:#fbdcd6}
.kimi-page .pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem;align-items:start}
.kimi-page .tries{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:1rem}
.kimi-page figure{margin:0}.kimi-page figcaption{font-size:.85rem;color:#555}
.kimi-page figure.taken img{outline:3px solid #4caf6e}
.kimi-page img{max-width:100%;max-height:48rem;border:1px solid #ccc}
.kimi-page pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:.75rem;
font-size:.85rem}
"""
_ENDINGS = {
    "alike": "alike enough",
    "not_better": "stopped: the last attempt was no better",
    "rounds": "stopped after all rounds",
    "no_page": "stopped: the last reply held no page that renders",
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
        taken = self._taken()
        tried = "".join(
            _figure(f"Attempt {n}: {_told(one)}", one.screenshot, taken=n == taken)
            for n, one in enumerate(self.attempts, 1)
        )
        page = self.attempts[taken - 1].screenshot if taken else ""
        pair = _figure("Mock-up", self.mock_up) + _figure("The page, rendered", page)
        return (
            f'<style>{_STYLE}</style><section class="kimi-page"><h1>Mock-up to page</h1>'
            f'<p><b>{self.likeness * 100:.0f} % alike</b> <span class="ended {self.ended}">'
            f'{_ENDINGS[self.ended]}</span></p><div class="pair">{pair}</div>'
            f'<h2>Attempts</h2><div class="tries">{tried}</div>'
            f"<details><summary>Source of the page</summary><pre>{escape(self.html)}</pre>"
            "</details></section>"
        )

    def _taken(self) -> int:
        """Return the number of the attempt whose page was taken, from 1; 0 when there is none."""
        found = (n for n, one in enumerate(self.attempts, 1) if self.html and one.html == self.html)
        return next(found, 0)


def _told(attempt: Attempt) -> str:
    return attempt.error or f"{attempt.likeness * 100:.0f} % alike"


def _figure(caption: str, png: str, *, taken: bool = False) -> str:
    shown = escape(caption)
    source = f"data:image/png;base64,{escape(png)}"
    picture = f'<img alt="{shown}" src="{source}">' if png else "<p>no picture</p>"
    mark = ' class="taken"' if taken else ""
    return f"<figure{mark}><figcaption>{shown}</figcaption>{picture}</figure>"
