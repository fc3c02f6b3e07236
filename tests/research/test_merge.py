"""Many answers become one, and sources survive the leader's hands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.rag.answer import Answer, Citation, Claim
from langchain_kimi.research import Findings, merge
from langchain_kimi.research.merge import told


def cited(number: int, quote: str, page: int = 1, file: str = "a.pdf") -> Citation:
    return Citation(number=number, id="x", file=file, sha256="0", page=page, quote=quote)


def answer(
    text: str, *citations: Citation, question: str = "?", status: str = "answered"
) -> Answer:
    claims = tuple(
        Claim(text=one.quote, citations=(one.number,), confidence="high") for one in citations
    )
    return Answer(question=question, text=text, status=status, citations=citations, claims=claims)


OATS = answer("Oats 81 t [1].", cited(1, "oats 81"), question="oats")
RYE = answer(
    "Rye 47 t [1], as before [2].", cited(1, "rye 47"), cited(2, "oats 81"), question="rye"
)


def test_sources_are_numbered_through() -> None:
    whole = merge("Grain?", f"{told(OATS)} {told(RYE)}", [OATS, RYE])

    assert whole.text == "Oats 81 t [1]. Rye 47 t [2], as before [1]."
    assert [one.quote for one in whole.citations] == ["oats 81", "rye 47"]
    assert [claim.citations for claim in whole.claims] == [(1,), (1,), (2,)]
    assert whole.status == "answered"


def test_brackets_in_a_file_name_survive() -> None:
    drafts = answer("Oats 81 t [1].", cited(1, "oats 81", file="report [v2].pdf"))
    whole = merge("?", told(drafts), [drafts])

    assert whole.text == "Oats 81 t [1]."
    assert whole.citations[0].file == "report [v2].pdf"


def test_a_source_that_nobody_gave_is_marked() -> None:
    whole = merge("?", "Sold [b.pdf#page=9], [a.pdf#page=1~0000], [tour.mp4#t=1,2~abcd].", [OATS])

    assert whole.text == "Sold [unverified], [1], [unverified]."


def test_citations_count_as_the_text_names_them() -> None:
    whole = merge("?", f"{told(RYE)} {told(OATS)}", [OATS, RYE])

    assert whole.text == "Rye 47 t [1], as before [2]. Oats 81 t [2]."
    assert [(one.number, one.quote) for one in whole.citations] == [(1, "rye 47"), (2, "oats 81")]
    assert [(claim.text, claim.citations) for claim in whole.claims] == [
        ("rye 47", (1,)),
        ("oats 81", (2,)),
        ("oats 81", (2,)),
    ]


def test_the_status_is_that_of_all() -> None:
    nothing = answer("Not told.", status="not_answered")

    assert told(nothing) == "(not answered) Not told."
    assert merge("?", "x", [OATS, nothing]).status == "partly"
    assert merge("?", "x", [nothing]).status == "not_answered"
    assert merge("?", "x", []).status == "not_answered"


@given(st.lists(st.lists(st.text("ab1 ", min_size=1, max_size=4), max_size=4), max_size=4))
def test_each_mark_leads_to_its_quote(quotes: list[list[str]]) -> None:
    answers = [
        answer(
            " ".join(f"[{n}]" for n in range(1, len(some) + 1)),
            *(cited(n, quote, page=n % 2 + 1) for n, quote in enumerate(some, 1)),
        )
        for some in quotes
    ]

    whole = merge("?", " ".join(map(told, answers)), answers)

    by_number = {one.number: one for one in whole.citations}
    marks = [int(mark) for mark in whole.text.replace("[", " ").replace("]", " ").split()]
    assert [by_number[n].quote for n in marks] == [q for some in quotes for q in some]
    assert sorted(by_number) == list(range(1, len(by_number) + 1))


def test_findings_are_kept_and_forgotten(tmp_path) -> None:
    findings = Findings(tmp_path / "findings")
    assert findings.all() == []
    assert findings.known("oats") is None

    findings.keep(OATS)
    findings.keep(RYE)

    assert Findings(tmp_path / "findings").known("oats") == OATS
    assert findings.all() == [OATS, RYE]
    findings.forget()
    assert findings.all() == []
