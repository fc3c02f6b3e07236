"""Holding an answer against its evidence, by code: quotes, numbers, words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from langchain_kimi.rag.answer.breaks import over_break
from langchain_kimi.rag.answer.places import place_of
from langchain_kimi.rag.answer.quotes import numbers_of
from langchain_kimi.rag.answer.reply import Cited, Reply
from langchain_kimi.rag.answer.result import Citation, Claim, Confidence, DroppedQuote
from langchain_kimi.rag.answer.sources import Source, entry_id
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.text import tokens

UNVERIFIED = "[unverified]"
_MARK = re.compile(r"\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_RUN = re.compile(rf"(?<!\s)\s*{_MARK.pattern}(?:\s*(?:[,;–-]\s*)?{_MARK.pattern})*(?:\s*[.!?。])?")
_LITTLE_SHARED = 0.25
_SEEN_NOTE = "seen in a picture, not quoted"


@dataclass(frozen=True, slots=True)
class Checked:
    """A reply after the check."""

    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    dropped: tuple[DroppedQuote, ...]

    @property
    def supported(self) -> int:
        """Count the claims that something bears out."""
        return sum(bool(claim.citations) for claim in self.claims)

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Return the claims whose evidence is not there."""
        return tuple(claim.text for claim in self.claims if claim.confidence == "none")


def check(
    corpus: Corpus,
    reply: Reply,
    sources: Sequence[Source],
    *,
    seen: Collection[int] = (),
    question: str = "",
) -> Checked:
    """Check each quote against its page, and each claim against its quotes.

    A quote that its page does not hold is dropped; a claim that is left without evidence is marked
    in the text. Citations are numbered anew, in the order in which they are read.

    Args:
        corpus: Where the pages are.
        reply: The model's reply.
        sources: What it was shown.
        seen: The numbers of those that it saw a picture of.
        question: Numbers in it need no quote.
    """
    by_number = {source.number: source for source in sources}
    good: dict[int, list[Citation]] = {}
    dropped: list[DroppedQuote] = []
    for cited in dict.fromkeys(reply.evidence):
        for held in _held(corpus, cited, by_number, seen):
            if isinstance(held, Citation):
                good.setdefault(cited.number, []).append(held)
            else:
                dropped.append(held)
    return _Writer(reply.text, good, tuple(dropped), numbers_of(question)).write()


def _held(
    corpus: Corpus, cited: Cited, sources: Mapping[int, Source], seen: Collection[int]
) -> list[Citation | DroppedQuote]:
    """Return what is held of a line of evidence: two places when it runs over a page break."""
    whole = _citation(corpus, cited, sources, seen)
    if isinstance(whole, Citation):
        return [whole]
    parts = [_citation(corpus, part, sources, seen) for part in _over_break(cited, sources)]
    return parts if parts and all(isinstance(one, Citation) for one in parts) else [whole]


def _over_break(cited: Cited, sources: Mapping[int, Source]) -> list[Cited]:
    """Split a quote between its page and the next, where that one was shown too."""
    source = sources.get(cited.source)
    if source is None or not cited.quote:
        return []
    here = source.found
    next_to_it = (here.document.id, here.page + 1)
    for other in sources.values():
        if (other.found.document.id, other.found.page) == next_to_it:
            parts = over_break(cited.quote, here.text, other.found.text) or ()
            numbers = (cited.source, other.number)
            return [
                Cited(cited.number, number, quote=part)
                for number, part in zip(numbers, parts, strict=False)
            ]
    return []


def _citation(
    corpus: Corpus, cited: Cited, sources: Mapping[int, Source], seen: Collection[int]
) -> Citation | DroppedQuote:
    source = sources.get(cited.source)
    quote = cited.quote or cited.seen
    if source is None:
        reason = "there is no such source"
        return DroppedQuote(quote=quote, place=f"S{cited.source}", reason=reason)
    found = source.found
    if cited.seen:
        if source.number not in seen:
            reason = "its picture was not shown"
            return DroppedQuote(quote=quote, place=found.place, reason=reason)
        return _cite(cited.number, source, seen=cited.seen)
    place = place_of(corpus, found, cited.quote)
    if place is None:
        return DroppedQuote(quote=quote, place=found.place, reason="not on its page")
    citation = _cite(cited.number, source, quote=place.quote)
    span = {"start": place.start, "end": place.end} if place.start is not None else {}
    box = {"box": tuple(place.box)} if place.box is not None else {}
    return citation.model_copy(update=span | box)


def _cite(number: int, source: Source, *, quote: str = "", seen: str = "") -> Citation:
    found = source.found
    crop = source.slot.crops[0] if seen and source.slot.crops else None
    return Citation(
        number=number,
        id=entry_id(found),
        file=found.document.path,
        sha256=found.document.sha256,
        page=found.page,
        label=found.label,
        start=found.start,
        end=found.end,
        quote=quote,
        seen=seen,
        box=tuple(crop) if crop is not None else None,
        page_size=found.page_size,
    )


class _Writer:
    """Writes the text anew with the citations that are left."""

    def __init__(
        self,
        text: str,
        good: Mapping[int, Sequence[Citation]],
        dropped: tuple[DroppedQuote, ...],
        known: set[str],
    ) -> None:
        self._text = text
        self._good = good
        self._dropped = dropped
        self._known = known
        self._citations: dict[Citation, int] = {}
        self._claims: list[Claim] = []

    def write(self) -> Checked:
        pieces: list[str] = []
        at = 0
        for run in _RUN.finditer(self._text):
            said = self._text[at : run.start()]
            pieces += [self._uncited(said), self._claim(said, run.group())]
            at = run.end()
        rest = self._text[at:]
        self._note_uncited(rest.split("\n"))
        return Checked(
            text="".join([*pieces, rest]).strip(),
            claims=tuple(self._claims),
            citations=tuple(
                citation.model_copy(update={"number": number})
                for citation, number in self._citations.items()
            ),
            dropped=self._dropped,
        )

    def _uncited(self, said: str) -> str:
        """Note the lines before the one that a citation stands in; return the text as it is."""
        self._note_uncited(said.split("\n")[:-1])
        return said

    def _note_uncited(self, lines: Sequence[str]) -> None:
        for line in lines:
            text = line.strip(" -*#>.")
            if len(tokens(text)) > 2 and not text.endswith(":"):
                note = "cites nothing"
                self._claims.append(Claim(text=text, confidence="low", note=note))

    def _claim(self, said: str, run: str) -> str:
        """Return the marks behind a claim with new numbers, or that nothing bears it out."""
        wanted = [int(n) for mark in _MARK.findall(run) for n in re.split(r"\D+", mark)]
        held = [citation for number in wanted for citation in self._good.get(number, ())]
        numbers = tuple(dict.fromkeys(self._number(citation) for citation in held))
        text = said.rsplit("\n", maxsplit=1)[-1].strip(" -*#>")
        numbers_said = numbers_of(text) - self._known
        whole = self._good.keys() >= set(wanted)
        confidence, note = _confidence(text, numbers_said, held, whole=whole)
        self._claims.append(Claim(text=text, citations=numbers, confidence=confidence, note=note))
        stop = run[-1] if run[-1] in ".!?。" else ""
        marks = "".join(f"[{number}]" for number in numbers) or UNVERIFIED
        return f" {marks}{stop}"

    def _number(self, citation: Citation) -> int:
        """Number a citation; the same place and words keep one number."""
        key = citation.model_copy(update={"number": 0})
        return self._citations.setdefault(key, len(self._citations) + 1)


def _confidence(
    text: str, numbers: set[str], held: Sequence[Citation], *, whole: bool
) -> tuple[Confidence, str]:
    """Tell how well a claim is borne out.

    Args:
        text: The claim.
        numbers: Those of its numbers that a quote has to hold.
        held: The citations that were found.
        whole: Whether all that it cited was found.
    """
    if not held:
        return "none", "what it cites is not on its page"
    quotes = " ".join(citation.quote for citation in held)
    if not quotes.strip():
        return "low", _SEEN_NOTE
    missing = numbers - numbers_of(quotes)
    if missing:
        return "medium", f"not in the quotes: {', '.join(sorted(missing))}"
    if not whole:
        return "medium", "one of its citations is not on its page"
    said = set(tokens(text))
    if said and len(said & set(tokens(quotes))) < _LITTLE_SHARED * len(said):
        return "medium", "its words are not those of the quotes"
    return "high", ""
