"""Text of a web page, as plain as it gets."""

import re
from html.parser import HTMLParser

_LEFT_OUT = {"script", "style", "noscript", "template", "svg", "iframe"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
    "nav", "ol", "p", "pre", "section", "table", "title", "tr", "ul",
}  # fmt: skip


class _Reader(HTMLParser):
    """Collects text, with a line break at each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        if tag in _LEFT_OUT:
            self._hidden += 1
        elif tag in _BLOCKS:
            self.pieces.append("\n")
        elif tag in {"td", "th"}:
            self.pieces.append("\t")

    def handle_endtag(self, tag: str) -> None:
        if tag in _LEFT_OUT:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))


def page_text(html: str) -> str:
    """Return the visible text of an HTML page, one line a block, without scripts and styles."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (re.sub(r" *\t *", "\t", line).strip() for line in "".join(reader.pieces).split("\n"))
    return "\n".join(line for line in lines if line)
