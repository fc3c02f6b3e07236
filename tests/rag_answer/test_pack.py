"""Packing: exact costs, never above the budget, a fixed order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_kimi.content import visual_tokens
from langchain_kimi.content.counting import content_tokens
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.rag import Box, Corpus, IngestOptions
from langchain_kimi.rag.answer import EvidenceBudget, pack
from langchain_kimi.rag.answer import candidates as candidates_module
from langchain_kimi.rag.answer.candidates import (
    FRAME_TIME,
    Candidate,
    candidate_of,
    crop_view,
    ladder,
    page_view,
)
from langchain_kimi.rag.answer.shots import source_blocks
from langchain_kimi.rag.answer.sources import load_pages, load_sources

LETTER = (612.0, 792.0)


def page(number: int, text: int = 600, path: str = "a.pdf", **more) -> Candidate:
    return Candidate(
        id=f"{path}:{number}", path=path, page=number, kind="page", text_tokens=text, size=LETTER,
        **more,
    )  # fmt: skip


@pytest.mark.parametrize(("dpi", "tokens"), [(72, 638), (100, 1240), (144, 2508)])
def test_a_letter_page_costs_what_moonvit_takes(dpi: int, tokens: int) -> None:
    view = page_view(*LETTER, dpi)
    assert visual_tokens((view.width, view.height)) == tokens
    assert view.tokens == tokens + 6


def test_a_page_like_a_poster_is_drawn_no_larger_than_it_is_seen() -> None:
    view = page_view(4000, 6000, 144)
    assert view.dpi < 72
    assert view.tokens < 4_300


def test_the_whole_document_goes_in_sharp_when_it_fits() -> None:
    packed = pack([page(n) for n in (3, 1, 2)], EvidenceBudget(tokens=20_000))
    assert packed.whole
    assert [slot.id for slot in packed.slots] == ["a.pdf:1", "a.pdf:2", "a.pdf:3"]
    assert [slot.number for slot in packed.slots] == [1, 2, 3]
    assert {slot.view.dpi for slot in packed.slots} == {144}


def test_the_whole_document_goes_in_smaller_when_it_must() -> None:
    packed = pack([page(n) for n in range(1, 31)], EvidenceBudget(tokens=60_000))
    assert packed.whole
    assert {slot.view.dpi for slot in packed.slots} == {100}


def test_else_the_top_is_sharp_and_the_tail_is_text() -> None:
    ranked = [page(n, crops=(Box(72, 72, 300, 200),)) for n in range(200, 0, -1)]
    packed = pack(ranked, EvidenceBudget(tokens=32_000))
    by_page = {int(slot.id.split(":")[1]): slot for slot in packed.slots}
    assert not packed.whole
    assert by_page[200].view.dpi == 144
    assert by_page[200].crops
    assert by_page[min(by_page)].view is None
    assert len(by_page) >= 25
    assert sorted(by_page) == list(range(min(by_page), 201))


def test_pages_without_text_are_shown_as_pictures() -> None:
    packed = pack([page(n, text=0) for n in range(1, 100)], EvidenceBudget(tokens=16_000))
    assert len(packed.slots) > 10
    assert all(slot.view is not None for slot in packed.slots)


def test_no_pictures_where_the_budget_has_none() -> None:
    budget = EvidenceBudget(tokens=32_000, visual=0)
    packed = pack([page(n) for n in range(1, 200)], budget)
    assert packed.visual_tokens == 0
    assert packed.text_tokens > 31_000


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"tokens": 0}, "tokens=0: 1 is the least"),
        ({"tokens": "9000"}, "tokens is of type str, no whole number"),
        ({"tokens": None}, "tokens is of type NoneType"),
        ({"visual": 2.5}, "visual is of type float"),
        ({"text": True}, "text is of type bool"),
        ({"crops": -1}, "crops=-1: 0 is the least"),
    ],
)
def test_a_budget_that_is_none_is_refused(limits, reason) -> None:
    with pytest.raises(KimiInvalidInputError, match=reason):
        EvidenceBudget(**limits)


def test_frames_are_scaled_down() -> None:
    views = ladder("scene", 1920.0, 1080.0, 30)
    assert {(view.width, view.height) for view in views} == {(640, 360)}
    assert [view.frames for view in views] == [1, 2, 4, 8]


candidates = st.lists(
    st.builds(
        lambda n, kind, text, width, height, seconds: Candidate(
            id=f"{kind}:{n}", path=f"{n % 5}.x", page=n, kind=kind, text_tokens=text,
            size=(width, height), seconds=seconds,
        ),
        st.integers(1, 400),
        st.sampled_from(["page", "picture", "scene", "text"]),
        st.integers(0, 9_000),
        st.floats(1, 9_000),
        st.floats(1, 9_000),
        st.floats(0, 100),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(candidates, st.integers(1, 300_000), st.one_of(st.none(), st.integers(0, 50_000)))
def test_the_budget_is_never_exceeded(given_, tokens, visual) -> None:
    packed = pack(given_, EvidenceBudget(tokens=tokens, visual=visual))
    assert packed.tokens <= tokens
    assert visual is None or packed.visual_tokens <= visual
    assert packed.tokens == sum(slot.tokens for slot in packed.slots)
    assert len({slot.id for slot in packed.slots}) == len(packed.slots)
    assert [slot.number for slot in packed.slots] == list(range(1, len(packed.slots) + 1))


def test_what_is_sent_costs_what_was_reckoned(library: Corpus) -> None:
    found = library.search("sales of oats", k=3) + library.search("millstone", k=2)
    ids = [f"{one.document.id}:{one.page}" for one in found]
    boxes = (Box(76, 135, 318, 214),)
    ranked = [candidate_of(one, boxes) for one in load_pages(library, list(dict.fromkeys(ids)))]
    packed = pack([*ranked, *(page(n) for n in range(300))], EvidenceBudget(tokens=40_000))
    sources = load_sources(library, [slot for slot in packed.slots if slot.id in ids])
    assert {source.found.document.path for source in sources} >= {"report.pdf", "talk.mp4"}
    for source in sources:
        text, media, _ = content_tokens(list(source_blocks(source)))
        candidate = candidate_of(source.found)
        crops = [crop_view(candidate, box).tokens for box in source.slot.crops]
        view = source.slot.view
        times = FRAME_TIME * view.frames if view.timed else 0
        assert media == view.tokens - times + sum(crops)
        assert text + media <= source.slot.tokens


def test_long_names_and_dense_scripts_stay_within_the_budget(tmp_path, monkeypatch) -> None:
    """A kana costs a token and more, a folder of archives as much as a paragraph."""
    monkeypatch.setattr(candidates_module, "MOST_TEXT", 2_000)
    deep = tmp_path / "docs" / ("部門別資料" * 10) / ("quarterly-archive_" * 8)
    deep.mkdir(parents=True)
    for number in range(3):
        (deep / f"{number}.md").write_text(f"# Oats\n\nOats cost {number} euros.")
    (tmp_path / "docs" / "kana.txt").write_text("これはながいぶんしょうです" * 225 + "oats " * 500)
    corpus = Corpus(tmp_path / "index", ocr="none")
    corpus.ingest(tmp_path / "docs", options=IngestOptions(workers=0))
    units = corpus.store.units(corpus.namespace, level="page")
    pages = load_pages(corpus, [unit.id for unit in units])
    packed = pack([candidate_of(one) for one in pages], EvidenceBudget(tokens=40_000))
    sources = load_sources(corpus, packed.slots)
    assert len(sources) == len(pages) > 3
    for source in sources:
        text, media, _ = content_tokens(list(source_blocks(source)))
        assert text + media <= source.slot.tokens
    assert any(source.text.endswith("[…]") for source in sources)
    corpus.close()
