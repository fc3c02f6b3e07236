"""Reading the model's reply: the text, and the evidence listed below it.

The reply is written for reading while it streams::

    Sales of oats grew to 81 tonnes [1], the chart shows most orders from the south [2].

    Evidence:
    [1] S3 "Oats 77 81"
    [2] S4 seen: the bar of the south is the highest

or it begins with `NOT IN THE DOCUMENTS:` and says what is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NOT_FOUND = "NOT IN THE DOCUMENTS"

_ENTRY = r"\[\d{1,3}\][ \t:]*[\[(]?[Ss]\d"
"""How a line of evidence begins."""
_EVIDENCE = re.compile(
    rf"^[ \t#*_>]*evidence[ \t*_]*(?:$|:[ \t*_]*(?=$|{_ENTRY}))", re.IGNORECASE | re.MULTILINE
)
_LINE = re.compile(
    r"^[ \t>*-]*\[(?P<number>\d{1,3})\][ \t:]*(?:\(|\[)?[Ss](?P<source>\d{1,4})(?:\)|\])?[ \t:,–-]*"
    r"(?P<rest>[\"“„«](?:[^\"“”»\n]*\n(?![ \t>*-]*\[)){1,8}[^\"“”»\n]*[\"“”»][^\n]*|[^\n]*)$",
    re.MULTILINE,
)
_NEXT_ENTRY = re.compile(rf"(?<=[\"”»])[ \t]*[;,.]?[ \t]+(?={_ENTRY})")
_PLACE = re.compile(r"^[^\"“„«\n]{1,120}[:,)–\d-][ \t]*(?=[\"“„«][^\n]*[\"”“»][\s.;,]*$)")
"""What a model puts before a quote: `page 7:`."""
_WIDE_MARK = re.compile(r"[\u3010\uff3b]([Ss]?\d{1,3})[\u3011\uff3d]")
_IN_BRACKETS = re.compile(r"\(((?:[ \t,;]*\[\d{1,3}\])+)[ \t]*\)")
_MARKS_FIRST = re.compile(
    r"^([ \t>*-]*)((?:\[\d{1,3}\][ \t]*)+)(?![\s\[(:,;.–-]|[Ss]\d)([^\[\n]+)$", re.MULTILINE
)
_LONGEST_HEADING = 30
_QUOTED = re.compile(r"^[\"“„«'‘](?P<quote>.*)[\"”“»'’][\s.;,]*$", re.DOTALL)
_SEEN = re.compile(r"^\(?seen\)?\b[ \t:,–-]*(?P<what>.*)$", re.IGNORECASE)
_NOT_FOUND = re.compile(
    rf"^[ \t*_#>-]*{NOT_FOUND}[\s*_]*[:.]?[\s*_]*(?P<missing>[^\n]*)", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Cited:
    """A line of evidence as the model wrote it."""

    number: int
    source: int
    quote: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's reply, taken apart."""

    text: str
    evidence: tuple[Cited, ...]
    missing: str | None
    """What the documents do not hold; None where the reply answers all."""


def read_reply(text: str) -> Reply:
    """Take a reply apart; what is malformed stays in the text or is left out, never guessed."""
    text = _WIDE_MARK.sub(r"[\1]", text)
    heads = list(_EVIDENCE.finditer(text))
    body, listed = (text[: heads[-1].start()], text[heads[-1].end() :]) if heads else (text, "")
    if not heads:
        body, listed = _without_head(text)
    missing = _NOT_FOUND.search(body)
    if missing is not None:
        body = body[: missing.start()] + body[missing.end() :]
    listed = _NEXT_ENTRY.sub("\n", listed)
    evidence = tuple(_cited(match) for match in _LINE.finditer(listed))
    return Reply(
        text=_marks_behind(body).strip(),
        evidence=evidence,
        missing=missing["missing"].strip(" *_") if missing is not None else None,
    )


def _marks_behind(text: str) -> str:
    """Return a text with the marks behind its statements, out of round brackets."""
    return _MARKS_FIRST.sub(
        lambda line: f"{line[1]}{line[3].rstrip()} {line[2].rstrip()}",
        _IN_BRACKETS.sub(r"\1", text),
    )


def _without_head(text: str) -> tuple[str, str]:
    """Split before the evidence that ends a reply whose heading is translated or not there."""
    lines = text.rstrip().split("\n")
    start = len(lines)
    while start and (not lines[start - 1].strip() or _LINE.match(lines[start - 1])):
        start -= 1
    listed = "\n".join(lines[start:])
    heading = lines[start - 1].strip(" \t#*_>") if start and _LINE.search(listed) else ""
    if (
        heading.endswith((":", "\uff1a"))
        and "[" not in heading
        and len(heading) <= _LONGEST_HEADING
    ):
        start -= 1
    return "\n".join(lines[:start]), listed


def _cited(match: re.Match[str]) -> Cited:
    number, source, rest = int(match["number"]), int(match["source"]), match["rest"].strip()
    seen = _SEEN.match(rest)
    if seen is not None:
        return Cited(number, source, seen=seen["what"].strip(" \"“”'"))
    rest = _PLACE.sub("", rest)
    quoted = _QUOTED.match(rest)
    return Cited(number, source, quote=(quoted["quote"] if quoted else rest).strip())
