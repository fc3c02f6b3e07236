"""A reply against its evidence, by code: whatever a model writes, only what is there is cited."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_kimi.rag.answer import EvidenceBudget, pack
from langchain_kimi.rag.answer import check as module
from langchain_kimi.rag.answer.candidates import candidate_of
from langchain_kimi.rag.answer.check import check
from langchain_kimi.rag.answer.inert import inert
from langchain_kimi.rag.answer.reply import read_reply
from langchain_kimi.rag.answer.sources import Source, load_pages, load_sources

PIECES = [
    "Oats rose to 81 tonnes ", "Wheat is blue. ", "[1]", "[2]", "[1, 99]", "[999]", "[", "]", "\n",
    "\n\nEvidence:\n", "\n[1] S1 ", "\n[2] S2 ", "\n[2] S77 ", "\n[1] S0 ", '"Oats 77 81"', '"81"',
    '"turns ninety times a minute"', '"wheat is blue"', '"…"', "seen: a bar", "seen:", "S1",
    "NOT IN THE DOCUMENTS:", "**", "- ", "?", "<b>", "![x](y)", "\x00", "\u202e", "東京", "-5 %",
]  # fmt: skip


@pytest.fixture(scope="module")
def sources(library) -> list[Source]:
    found = library.search("sales of oats", k=2) + library.search("millstone", k=1)
    ids = [f"{one.document.id}:{one.page}" for one in found]
    packed = pack([candidate_of(one) for one in load_pages(library, ids)], EvidenceBudget())
    return load_sources(library, packed.slots)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=25))
def test_garbage_is_no_error_and_no_citation(library, sources, pieces) -> None:
    checked = check(library, read_reply(inert("".join(pieces))), sources)
    texts = {f"{one.found.document.id}:{one.found.page}": one.found.text for one in sources}
    for citation in checked.citations:
        letters = re.sub(r"\W", "", citation.quote).casefold()
        assert letters in re.sub(r"\W", "", texts[citation.id]).casefold()
        assert citation.quote or citation.seen or not citation.box
    numbers = {citation.number for citation in checked.citations}
    assert numbers == set(range(1, len(numbers) + 1))
    for claim in checked.claims:
        assert numbers.issuperset(claim.citations)
        assert bool(claim.citations) or claim.confidence in ("low", "none")


def test_marks_with_commas_between_them_bear_one_claim(library, sources) -> None:
    number = next(one.number for one in sources if "Oats" in one.found.text)
    listed = f'[1] S{number} "Oats 77 81"\n[2] S{number} "Oats 77 99"'
    checked = check(
        library, read_reply(f"Oats rose to 81 [1], [2]; [1].\n\nEvidence:\n{listed}"), sources
    )
    assert checked.text == "Oats rose to 81 [1]."
    (claim,) = checked.claims
    assert (claim.confidence, claim.note) == ("medium", "one of its citations is not on its page")


def test_what_a_looping_model_repeats_is_looked_up_once(library, sources, monkeypatch) -> None:
    looked = []
    place_of = module.place_of
    monkeypatch.setattr(module, "place_of", lambda *of: looked.append(of) or place_of(*of))
    lines = '[1] S1 "Oats 77 99"\n' * 3_000
    checked = check(library, read_reply(f"Oats rose [1].\n\nEvidence:\n{lines}"), sources)
    assert len(looked) == len(checked.dropped) == 1
    assert [claim.confidence for claim in checked.claims] == ["none"]
