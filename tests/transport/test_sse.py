"""The reader of server-sent events."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.transport.sse import SseReader


def read(stream: bytes, size: int | None = None) -> list[str]:
    reader = SseReader()
    step = size or max(1, len(stream))
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    return [payload for piece in pieces for payload in reader.feed(piece)] + reader.finish()


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data:a\r\n\r\ndata:b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b": ping\n\nevent: x\nid: 7\nretry: 10\ndata: a\n\n", ["a"]),
        (b"data: {\ndata: }\n\n", ["{\n}"]),
        (b"data:  two spaces\n\n", [" two spaces"]),
        (b"data:\n\ndata\n\ndata: a\n\n", ["a"]),
        (b"data: a", ["a"]),
        (b"data: a\n", ["a"]),
        (b"database: no\ndata: yes\n\n", ["yes"]),
        ("data: über 東京 🎉\n\n".encode(), ["über 東京 🎉"]),
        ("data: a\u2028b\x0bc\x85d\n\n".encode(), ["a\u2028b\x0bc\x85d"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
@pytest.mark.parametrize("size", [None, 1, 2, 3])
def test_reads_streams(stream: bytes, payloads: list[str], size: int | None) -> None:
    assert read(stream, size) == payloads


def test_hands_out_an_event_as_soon_as_it_ends() -> None:
    reader = SseReader()
    assert reader.feed(b"data: a\r\n\r") == ["a"]
    assert reader.feed(b"\ndata: b\n") == []
    assert reader.feed(b"\n") == ["b"]


LINE = st.one_of(
    st.text(alphabet="a{}:é東🎉 \\", max_size=12).map(lambda text: f"data: {text}"),
    st.sampled_from(["", "", ": note", "event: e", "data", "data:", "id: 1", "nonsense", "\ufeff"]),
)
STREAM = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r\n", "\r"])), max_size=12).map(
    lambda lines: "".join(line + end for line, end in lines).encode()
)


@given(stream=STREAM, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_any_cut_gives_the_same_payloads(stream: bytes, cuts: list[int]) -> None:
    reader = SseReader()
    edges = [0, *sorted(cut for cut in cuts if cut <= len(stream)), len(stream)]
    found = [
        payload
        for start, end in itertools.pairwise(edges)
        for payload in reader.feed(stream[start:end])
    ]
    assert found + reader.finish() == read(stream)


def test_a_long_line_in_many_pieces_is_joined_once() -> None:
    line = b"data: " + b"x" * 8_000_000
    reader = SseReader()
    for at in range(0, len(line), 1000):
        assert reader.feed(line[at : at + 1000]) == []
    (payload,) = reader.feed(b"\n\n")
    assert len(payload) == 8_000_000
