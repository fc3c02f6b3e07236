"""A model's Markdown as HTML: paragraphs, lists, tables, emphasis, code; nothing that loads."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt

_LEFT_OUT = ("image", "link", "autolink", "reference", "html_block", "html_inline", "code")
_LEVEL = "h3"


def to_html(text: str) -> str:
    """Return Markdown as HTML. Markup, links and pictures in it stay text."""
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        token.info = ""
        if token.type in ("heading_open", "heading_close"):
            token.tag = _LEVEL
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered


@cache
def _parser() -> MarkdownIt:
    return (
        MarkdownIt("commonmark", {"html": False, "breaks": True})
        .enable("table")
        .disable(list(_LEFT_OUT))
    )
