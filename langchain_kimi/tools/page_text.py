"""Text of a web page, as plain as it gets.

The standard library's parser takes quadratic time on pages that are made for it. This one goes
over the page once, whatever the page says: what is not closed hides the rest, as in a browser.
"""

from __future__ import annotations

import html
import re

_HIDDEN = {"svg", "template"}
_RAW = {"iframe", "noembed", "noframes", "noscript", "script", "style", "xmp"}
"""Elements whose content is no markup, and is left out."""
_BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
    "nav", "ol", "p", "pre", "section", "table", "title", "tr", "ul",
}  # fmt: skip

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)")
_ATTRIBUTES = re.compile(r"""(?:=\s*+"[^"]*+"|=\s*+'[^']*+'|[^>=]|=)*+>""")
"""Up to the end of a tag. No part is tried twice: a quote that fails to close does so once."""
_RAW_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _RAW}


def page_text(page: str) -> str:
    """Return the visible text of an HTML page, one line a block, without scripts and styles."""
    lines = "".join(_Reader(page).pieces()).split("\n")
    cells = ([" ".join(cell.split()) for cell in line.split("\t")] for line in lines)
    shown = ("\t".join(row).strip() for row in cells)
    return "\n".join(line for line in shown if line)


class _Reader:
    """Goes over a page: text, a line break at each block, a tab at each cell."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._at = 0
        self._hidden = 0
        self._pieces: list[str] = []

    def pieces(self) -> list[str]:
        """Read the page to its end."""
        while self._at < len(self._page):
            if self._page[self._at] == "<":
                self._markup()
            else:
                self._text(self._up_to("<", self._at))
        return self._pieces

    def _up_to(self, end: str, start: int) -> int:
        found = self._page.find(end, start)
        return len(self._page) if found < 0 else found

    def _text(self, end: int) -> None:
        if not self._hidden:
            text = _unescaped(self._page[self._at : end])
            self._pieces.append(re.sub(r"\s+", " ", text))
        self._at = end

    def _markup(self) -> None:
        tag = _TAG.match(self._page, self._at)
        if tag:
            self._tag(tag)
        elif self._page.startswith("<!--", self._at):
            self._at = self._up_to("-->", self._at + 2) + 3
        elif self._page.startswith(("<!", "<?", "</"), self._at):
            self._at = self._up_to(">", self._at) + 1
        else:
            self._text(self._at + 1)

    def _tag(self, tag: re.Match[str]) -> None:
        closing, name = tag[1], tag[2].lower()
        rest = _ATTRIBUTES.match(self._page, tag.end())
        self._at = rest.end() if rest else len(self._page)
        if name in _HIDDEN:
            is_empty = self._page.startswith("/>", self._at - 2)
            self._hidden = max(0, self._hidden + (-1 if closing else 0 if is_empty else 1))
        elif name in _RAW and not closing:
            end = _RAW_ENDS[name].search(self._page, self._at)
            self._at = end.start() if end else len(self._page)
        elif name in _BLOCKS:
            self._pieces.append("\n")
        elif name in {"td", "th"} and not closing:
            self._pieces.append("\t")


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a number of thousands of digits
        return text
