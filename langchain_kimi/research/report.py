"""The report of an investigation: the answer with its pages, the timeline, the cost."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from langchain_kimi.rag import Corpus
from langchain_kimi.rag.answer import Answer
from langchain_kimi.rag.answer.html import html_report

_ROWS = {
    "subagents": "sub-agents",
    "steps": "model calls",
    "critical_steps": "of them one after the other",
    "seconds": "seconds",
    "speed_up": "times faster than serially",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "money": "cost, by your price table",
}


def research_report(
    answer: Answer, corpus: Corpus | None, *, usage: Mapping[str, Any], timeline: str = ""
) -> str:
    """Return one page: the answer, thumbnails of the cited pages, who worked when, what it cost.

    Args:
        answer: What `merge` made.
        corpus: Where thumbnails are drawn from.
        usage: The background agent's `usage`.
        timeline: Its `timeline.svg`.
    """
    rows = "".join(
        f"<tr><td>{name}</td><td>{escape(_shown(usage[key]))}</td></tr>"
        for key, name in _ROWS.items()
        if usage.get(key) is not None
    )
    below = (
        f'<section class="kimi-answer"><h2>Who worked when</h2>{timeline}'
        f"<h2>What it took</h2><table>{rows}</table></section>"
    )
    return html_report(answer, corpus, below=below)


def _shown(value: float) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
