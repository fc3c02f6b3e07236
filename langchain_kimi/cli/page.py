"""Turn a mock-up into a web page: `langchain-kimi page MOCKUP.png`."""

from __future__ import annotations

from pathlib import Path

from langchain_core.messages import HumanMessage
from rich.console import Console

from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.content import image
from langchain_kimi.visual_code import Attempt, VisualCode, create_visual_to_code


def page(
    mock_up: Path,
    llm: ChatKimi,
    console: Console,
    *,
    target: Path,
    report: Path | None,
    rounds: int,
) -> int:
    """Write the page, and a report with the pictures if one is wanted. 1 when there is no page."""
    graph = create_visual_to_code(llm, rounds=rounds)
    asked = {"messages": [HumanMessage([image(mock_up)])]}
    found: dict[str, VisualCode] = {}
    with console.status("drafting the page") as status:
        for part in graph.stream(asked, stream_mode="updates"):
            attempts = part.get("render", {}).get("attempts") or ()
            for attempt in map(Attempt.model_validate, attempts[-1:]):
                told = attempt.error or f"{attempt.likeness:.0%} alike"
                status.update(f"attempt {len(attempts)}: {told}")
            found.update(part.get("render", {}))
    result = found["result"]
    if report is not None:
        report.write_text(result.to_html(), "utf-8")
        console.print(f"report: {report}", markup=False, soft_wrap=True)
    if not result.html:
        raise ValueError(result.attempts[-1].error)
    target.write_text(result.html, "utf-8")
    told = f"{result.likeness * 100:.0f} % alike after {len(result.attempts)} attempts"
    console.print(f"page: {target}, {told}", markup=False, soft_wrap=True)
    return 0
