"""The report of an investigation: the answer with its pages, the timeline, the cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from langchain_kimi.rag import Corpus
from langchain_kimi.rag.answer import Answer
from langchain_kimi.rag.answer.html import html_report
from langchain_kimi.swarm import Price

NO_PRICE = "not known: no price of a million tokens was given"


def research_report(
    answer: Answer,
    corpus: Corpus | None,
    *,
    usage: Mapping[str, Any],
    timeline: str = "",
    price: Price | None = None,
    model: str = "",
    missing: Sequence[str] = (),
    folder: Path | None = None,
) -> str:
    """Return one page: the answer, thumbnails of the cited pages, who worked when, what it cost.

    Args:
        answer: What `merge` made.
        corpus: Where thumbnails are drawn from.
        usage: The background agent's `usage`.
        timeline: Its `timeline.svg`.
        price: Of a million tokens; None when it is not known, so that no money is told.
        model: Who answered.
        missing: The agent's `missing`.
        folder: Where the page will lie; each source then links to its document from there.
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in _rows(usage, price, model)
    )
    left = "".join(f"<li>{escape(item)}</li>" for item in missing)
    below = (
        '<section class="kimi-answer">'
        + (f"<h2>What is missing</h2><ul>{left}</ul>" if left else "")
        + f"<h2>Who worked when</h2>{timeline}"
        f"<h2>What it took</h2><table>{rows}</table></section>"
    )
    return html_report(answer, corpus, below=below, folder=folder)


def cost(usage: Mapping[str, Any], price: Price | None) -> str:
    """Return what the tokens of a run cost by the given price, with the price."""
    if price is None:
        return NO_PRICE
    cached = "" if price.cached_input is None else f", {price.cached_input:g} for cached input"
    money = price.of(usage["input_tokens"], usage["output_tokens"], usage["cached_tokens"])
    return f"{money:.4f} at {price.input:g} for a million tokens in, {price.output:g} out{cached}"


def _rows(usage: Mapping[str, Any], price: Price | None, model: str) -> Iterator[tuple[str, str]]:
    if model:
        yield "answered by", model
    yield "sub-agents", f"{usage['subagents']:,}"
    yield "model calls", f"{usage['steps']:,}, {usage['critical_steps']:,} one after the other"
    serial = f"{usage['serial_seconds']:.1f} s if done serially, {usage['speed_up']:.1f}x as fast"
    yield "time", f"{usage['seconds']:.1f} s; {serial}"
    sent = f"{usage['input_tokens']:,} in ({usage['cached_tokens']:,} of them cached)"
    yield "tokens", f"{sent}, {usage['output_tokens']:,} out"
    yield "cost", cost(usage, price)
