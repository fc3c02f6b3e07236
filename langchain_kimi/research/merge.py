"""One answer made of many: the sources in brackets become numbered citations again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from langchain_kimi.rag.answer import Answer, Citation
from langchain_kimi.rag.answer.result import Searched, Usage

_NUMBER = re.compile(r"\[(\d{1,3})\]")
_SOURCE = re.compile(r"\[([^\[\]\n]+#(?:page=\d+|t=[\d.]+,[\d.]+))(~[0-9a-f]{4})?\]")


def told(answer: Answer) -> str:
    """Return an answer for the leader: each `[n]` as its source, `[report.pdf#page=3~1f2e]`."""
    sources = {one.number: f"[{_source(one)}{_tail(one)}]" for one in answer.citations}

    def name(match: re.Match[str]) -> str:
        return sources.get(int(match[1]), match[0])

    text = _NUMBER.sub(name, answer.text)
    return text if answer.status == "answered" else f"({answer.status.replace('_', ' ')}) {text}"


def merge(question: str, text: str, answers: Sequence[Answer]) -> Answer:
    """Make one answer of the leader's text and what its researchers found.

    Sources in brackets become `[n]`, counted as the text cites them; one that no researcher gave
    becomes `[unverified]`. Claims, dropped quotes, searches and tokens are those of all
    researchers.

    Args:
        question: What was asked.
        text: The leader's final text.
        answers: The researchers' answers.
    """
    citations, renamed = _numbered(answers)
    citations, renamed = _as_cited(text, citations, renamed)
    known: dict[str, list[int]] = {}
    for citation in citations:
        for source in (_source(citation), _source(citation) + _tail(citation)):
            known.setdefault(source, []).append(citation.number)

    def number(match: re.Match[str]) -> str:
        numbers = known.get(match[1] + (match[2] or "")) or known.get(match[1])
        return "".join(f"[{n}]" for n in numbers) if numbers else "[unverified]"

    claims = [
        claim.model_copy(update={"citations": tuple(renamed[i, n] for n in claim.citations)})
        for i, answer in enumerate(answers)
        for claim in answer.claims
    ]
    claims.sort(key=lambda claim: min(claim.citations, default=len(citations) + 1))
    answered = [answer.status for answer in answers]
    every = bool(answered) and set(answered) == {"answered"}
    none = set(answered) <= {"not_answered"}
    return Answer(
        question=question,
        text=_SOURCE.sub(number, text),
        status="answered" if every else "not_answered" if none else "partly",
        claims=tuple(claims),
        citations=tuple(citations),
        dropped=tuple(quote for answer in answers for quote in answer.dropped),
        searched=_searched(answers),
        usage=Usage(
            calls=sum(answer.usage.calls for answer in answers),
            input_tokens=sum(answer.usage.input_tokens for answer in answers),
            output_tokens=sum(answer.usage.output_tokens for answer in answers),
        ),
        stand_in=any(answer.stand_in for answer in answers),
    )


def _source(citation: Citation) -> str:
    """Return the link of a citation, as it can stand in brackets."""
    return citation.link.replace("[", "%5B").replace("]", "%5D")


def _tail(citation: Citation) -> str:
    """Tell the quotes of one page apart."""
    said = (citation.quote or citation.seen).encode()
    return "~" + hashlib.blake2b(said, digest_size=2).hexdigest()


def _numbered(answers: Sequence[Answer]) -> tuple[list[Citation], dict[tuple[int, int], int]]:
    """Number the citations through; the same place with the same quote is one."""
    citations: list[Citation] = []
    renamed: dict[tuple[int, int], int] = {}
    known: dict[tuple[str, str, str], int] = {}
    for index, answer in enumerate(answers):
        for citation in answer.citations:
            key = (citation.link, citation.quote, citation.seen)
            if key not in known:
                known[key] = len(citations) + 1
                citations.append(citation.model_copy(update={"number": known[key]}))
            renamed[index, citation.number] = known[key]
    return citations, renamed


def _as_cited(
    text: str, citations: list[Citation], renamed: dict[tuple[int, int], int]
) -> tuple[list[Citation], dict[tuple[int, int], int]]:
    """Number the citations anew: by where the text names them first, then those it does not."""
    places = [(match[1], match[2] or "") for match in _SOURCE.finditer(text)]

    def first(one: Citation) -> int:
        own = ((_source(one), ""), (_source(one), _tail(one)))
        return next((at for at, place in enumerate(places) if place in own), len(places))

    ordered = sorted(citations, key=first)
    new = {one.number: number for number, one in enumerate(ordered, start=1)}
    moved = [one.model_copy(update={"number": new[one.number]}) for one in ordered]
    return moved, {key: new[number] for key, number in renamed.items()}


def _searched(answers: Sequence[Answer]) -> Searched:
    searched = [answer.searched for answer in answers]
    return Searched(
        queries=tuple(dict.fromkeys(query for one in searched for query in one.queries)),
        rounds=sum(one.rounds for one in searched),
        documents=max((one.documents for one in searched), default=0),
        candidates=sum(one.candidates for one in searched),
        shown=sum(one.shown for one in searched),
        shown_as_pictures=sum(one.shown_as_pictures for one in searched),
        evidence_tokens=sum(one.evidence_tokens for one in searched),
    )
