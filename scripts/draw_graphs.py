"""Draw each graph of langgraph.json into docs/drawings, and write docs/graphs.md."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from langchain_kimi.drawing import graph_svg

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = {
    "tool_use": "tool-use.md",
    "background": "background.md",
    "multimodal_rag": "answer.md",
    "visual_to_code": "visual-to-code.md",
}
HEAD = """# The graphs

What `langgraph.json` names, for LangGraph Server and Studio. Dashed ways are taken when a condition
says so. `langchain_kimi.drawing.graph_svg` draws any compiled graph like this;
`scripts/draw_graphs.py` writes this page.
"""


def files() -> dict[str, str]:
    """Return what is written, by its path below docs/."""
    parts, written = [HEAD], {}
    for name, entry in json.loads((ROOT / "langgraph.json").read_text())["graphs"].items():
        page, picture = PAGES[name], f"drawings/{name}.svg"
        written[picture] = drawn(ROOT / entry["path"].split(":")[0])
        parts.append(
            f"## {name}\n\n{entry['description']} More: [{page}]({page}).\n\n"
            f"![{name}: its nodes and the ways between them]({picture})\n"
        )
    return written | {"graphs.md": "\n".join(parts)}


def drawn(path: Path) -> str:
    """Load a graph from its file and draw it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return graph_svg(module.graph)


if __name__ == "__main__":
    (DOCS / "drawings").mkdir(exist_ok=True)
    for name, text in files().items():
        (DOCS / name).write_text(text, "utf-8")
