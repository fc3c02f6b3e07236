"""Questions about documents: the stand-in quotes the passages that share the question's words.

A request of this kind carries passages, each behind a line `[S1] report.pdf, page 3`, or it
asks for a plan of searches, a schema with `question` and `sub_questions`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_kimi.testing.script import Turn, say, say_json, think, turn
from langchain_kimi.testing.standin.answer import NAME
from langchain_kimi.testing.standin.instance import wanted_schema
from langchain_kimi.testing.standin.signs import alike
from langchain_kimi.testing.standin.situation import Situation, text_of
from langchain_kimi.testing.standin.words import files, keywords, numbers, stems

HEAD = re.compile(r"^\[S(\d+)\] ([^\n]+)\n", re.MULTILINE)
IN_FULL = re.compile(r"\(The question in full: (.+?)\)(?:\n\n|$)", re.DOTALL)
LIST_MARK = re.compile(r"^\s*(?:[-*•]|#{1,6}) +")
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d])|\n+")
TWO_PARTS = re.compile(
    r"\?\s+|;\s+|,?\s+and\s+(?=(?:how|what|when|where|which|who|why)\b)", re.IGNORECASE
)
POINTS_BACK = re.compile(
    r"\b(?:it|its|they|their|them|that|those|this|these|he|she|there)\b", re.IGNORECASE
)
KINDS = {
    "chart": re.compile(r"\b(?:charts?|graphs?|plots?|bars?|pie)\b", re.IGNORECASE),
    "table": re.compile(r"\b(?:tables?|columns?|rows?)\b", re.IGNORECASE),
    "figure": re.compile(
        r"\b(?:figures?|pictures?|photos?|images?|diagrams?|maps?)\b", re.IGNORECASE
    ),
    "video": re.compile(r"\b(?:videos?|clips?|films?|scenes?|talks?|minutes?)\b", re.IGNORECASE),
}
BY_WORDS = "these lines share the question's words:"
MOST_QUOTES = 3
LONGEST_QUOTE = 240
SHORTEST_LINE = 3
NEAR_BEST = 0.75
ENOUGH = 0.4
"""The share of the question's words, rare ones counting more, that a passage has to hold."""
FEW_WORDS = 3


@dataclass(frozen=True)
class Passage:
    """A numbered source of the request."""

    number: int
    place: str
    text: str

    @cached_property
    def stems(self) -> set[str]:
        """The stems of its words, those of its place among them."""
        return stems(f"{self.place}\n{self.text}")


@dataclass(frozen=True)
class Line:
    """A sentence or line of a passage, and how well it fits."""

    passage: Passage
    text: str
    score: float


def documents_turn(situation: Situation) -> Turn | None:
    """Answer a request about documents by rules; None when it is of another kind."""
    schema = wanted_schema(situation)
    if schema is not None and "sub_questions" in (schema.get("properties") or {}):
        return turn(think("I plan the search by rules."), say_json(_plan(situation)))
    passages = list(_passages(situation.request.messages))
    if not passages or schema is not None:
        return None
    return turn(
        think(f"I look through {len(passages)} passages."), say(_answer(situation, passages))
    )


# --- the answer ---------------------------------------------------------------------------------


def _passages(messages: Sequence[Mapping[str, Any]]) -> Iterator[Passage]:
    """Yield the numbered passages of the user's messages; of lines with one number, the first."""
    seen: set[int] = set()
    for message in messages:
        text = text_of(message) if message.get("role") == "user" else ""
        heads = list(HEAD.finditer(text))
        ends = [*(head.start() for head in heads[1:]), len(text)]
        for head, end in zip(heads, ends, strict=False):
            body = text[head.end() : end].strip()
            if int(head[1]) not in seen and body:
                seen.add(int(head[1]))
                yield Passage(int(head[1]), head[2], body)


def _answer(situation: Situation, passages: Sequence[Passage]) -> str:
    question = _question(situation)
    wanted = stems(question)
    weights = _weights(wanted, passages)
    lines = _lines_by_part(question, weights, passages)
    held = max((_share(wanted, passage.stems, weights) for passage in passages), default=0.0)
    missing = _missing(question, passages)
    if not lines or held < ENOUGH or missing:
        named = " ".join(missing or keywords(question)[:8])
        return f"NOT IN THE DOCUMENTS: {named}\n\n{NAME}: no passage holds enough of these words."
    body = "\n".join(f"- {line.text} [{n}]" for n, line in enumerate(lines, start=1))
    evidence = "\n".join(
        f'[{n}] S{line.passage.number} "{line.text}"' for n, line in enumerate(lines, start=1)
    )
    return f"{NAME}: {BY_WORDS}\n{body}\n\nEvidence:\n{evidence}"


def _question(situation: Situation) -> str:
    in_full = IN_FULL.search(situation.question)
    return in_full[1] if in_full else situation.question


def _weights(wanted: set[str], passages: Sequence[Passage]) -> dict[str, float]:
    """Weigh words by how rare they are among the passages."""
    having = Counter(word for passage in passages for word in wanted if alike(word) & passage.stems)
    total = len(passages)
    return {word: math.log(1 + (total + 1) / (having[word] + 0.5)) for word in wanted}


def _share(wanted: set[str], held: set[str], weights: Mapping[str, float]) -> float:
    whole = sum(weights[word] for word in wanted)
    return sum(weights[word] for word in wanted if alike(word) & held) / whole if whole else 0.0


def _lines_by_part(
    question: str, weights: Mapping[str, float], passages: Sequence[Passage]
) -> list[Line]:
    """Return the lines that fit best; each part of the question has its own."""
    parts = [words for part in TWO_PARTS.split(question) if (words := stems(part))]
    found: dict[tuple[int, str], Line] = {}
    for words in parts:
        for line in _best_lines(words, weights, passages)[: max(1, MOST_QUOTES // len(parts))]:
            found.setdefault((line.passage.number, line.text), line)
    return list(found.values())


def _best_lines(
    wanted: set[str], weights: Mapping[str, float], passages: Sequence[Passage]
) -> list[Line]:
    """Return the lines that fit best; the rest of a passage counts a little for its lines."""
    lines = []
    for passage in passages:
        around = _share(wanted, passage.stems, weights)
        for text in _lines(passage.text):
            share = _share(wanted, stems(text), weights)
            if share > 0:
                has_number = 0.05 if numbers(text) else 0.0
                lines.append(Line(passage, text, share + 0.5 * around + has_number))
    lines.sort(key=lambda line: -line.score)
    best = lines[0].score if lines else 0.0
    return [line for line in lines[:MOST_QUOTES] if line.score >= NEAR_BEST * best]


def _lines(text: str) -> Iterator[str]:
    for piece in SENTENCE.split(text):
        line = " ".join(LIST_MARK.sub("", piece).replace("|", " ").split())
        if len(line.split()) >= SHORTEST_LINE:
            yield line if len(line) <= LONGEST_QUOTE else line[:LONGEST_QUOTE].rpartition(" ")[0]


def _missing(question: str, passages: Sequence[Passage]) -> list[str]:
    """Return the years and numbers of the question that no passage holds."""
    text = "\n".join(f"{passage.place}\n{passage.text}" for passage in passages)
    asked = dict.fromkeys(re.findall(r"\b(?:19|20)\d\d\b", question))
    return [number for number in asked if number not in text]


# --- the plan -----------------------------------------------------------------------------------


def _plan(situation: Situation) -> dict[str, Any]:
    question = _with_subject(situation)
    parts = [part.strip() for part in TWO_PARTS.split(question) if len(keywords(part)) > 1]
    named = set(files(question))
    listed = files(text_of(situation.request.messages[0]))
    return {
        "question": question,
        "sub_questions": parts if len(parts) > 1 else [],
        "evidence": [kind for kind, sign in KINDS.items() if sign.search(question)],
        "documents": [name for name in listed if name in named],
    }


def _with_subject(situation: Situation) -> str:
    """Return the question; one that points back gets the words of the one before."""
    question = situation.question.strip()
    asked = [
        text_of(message) for message in situation.request.messages if message.get("role") == "user"
    ]
    short = len(keywords(question)) < FEW_WORDS
    if len(asked) > 1 and (short or POINTS_BACK.search(question)):
        known = stems(question)
        before = [word for word in keywords(asked[-2]) if not stems(word) & known]
        return f"{question} ({' '.join(before)})"
    return question
