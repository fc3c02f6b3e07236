"""Write docs/graphs.md: each graph of langgraph.json with its drawing, as Mermaid text."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "graphs.md"
PAGES = {
    "background": "background.md",
    "multimodal_rag": "answer.md",
    "visual_to_code": "visual-to-code.md",
}
HEAD = """# The graphs

What `langgraph.json` names, for LangGraph Server and Studio.
`scripts/draw_graphs.py` writes this page.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for name, entry in json.loads((ROOT / "langgraph.json").read_text())["graphs"].items():
        path, attribute = entry["path"].split(":")
        more = f" More: [{PAGES[name]}]({PAGES[name]})." if name in PAGES else ""
        drawing = drawn(ROOT / path, attribute)
        parts.append(f"## {name}\n\n{entry['description']}{more}\n\n```mermaid\n{drawing}\n```\n")
    return "\n".join(parts)


def drawn(path: Path, attribute: str) -> str:
    """Load a graph from its file and draw it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawing: str = getattr(module, attribute).get_graph().draw_mermaid(with_styles=False)
    return drawing.strip().replace("\\2e", ".").replace("\t", "  ")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
