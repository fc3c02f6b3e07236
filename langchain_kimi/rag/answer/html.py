"""An answer as HTML: everything escaped, pictures inside, nothing loaded from elsewhere."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from langchain_kimi.rag.answer.markdown import to_html
from langchain_kimi.rag.answer.result import Answer, Citation, Claim
from langchain_kimi.rag.retrieve.search import clock

if TYPE_CHECKING:
    from langchain_kimi.rag.corpus import Corpus

_MARK = re.compile(r"\[(\d{1,3})\]")
_UNVERIFIED = "[unverified]"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'"
_STYLE = """
.kimi-answer{font:16px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff;max-width:60rem;
margin:0 auto;padding:1rem}
.kimi-answer h1{font-size:1.25rem}.kimi-answer h2{font-size:1rem;margin:1.5rem 0 .5rem}
.kimi-answer h3{font-size:1rem;margin:1.25rem 0 .25rem}.kimi-answer ul{margin:.25rem 0}
.kimi-answer a{color:#1d5fa8;text-decoration:none}.kimi-answer a:hover{text-decoration:underline}
.kimi-answer figure:target{border-color:#1d5fa8;box-shadow:0 0 0 3px #cfe2f5}
.kimi-answer .status{display:inline-block;padding:0 .5rem;border-radius:.25rem;font-size:.85rem}
.kimi-answer .answered{background:#dff3e4}.kimi-answer .partly{background:#fdf0cf}
.kimi-answer .not_answered,.kimi-answer .unverified{background:#fbdcd6}
.kimi-answer figure{margin:1rem 0;padding:.75rem;border:1px solid #ddd;border-radius:.5rem}
.kimi-answer figcaption{margin-bottom:.5rem;overflow-wrap:anywhere}
.kimi-answer .pictures{display:flex;flex-wrap:wrap;gap:.75rem;align-items:flex-start}
.kimi-answer img{max-width:100%;height:auto;border:1px solid #ccc}
.kimi-answer .page{max-width:18rem}.kimi-answer .region{max-width:34rem}
.kimi-answer blockquote{margin:.25rem 0;padding-left:.75rem;border-left:3px solid #d4351c}
.kimi-answer small,.kimi-answer .note{color:#555;font-size:.85rem}
.kimi-answer td,.kimi-answer th{padding:.15rem .5rem;vertical-align:top;text-align:left;
border-top:1px solid #eee}.kimi-answer svg{width:100%;height:auto}
"""


def html_report(
    answer: Answer, corpus: Corpus | None = None, *, below: str = "", folder: Path | None = None
) -> str:
    """Return a page of its own.

    Its content policy forbids scripts and loads, so that a browser keeps to it too.

    Args:
        answer: The answer.
        corpus: Where thumbnails are drawn from; None for none.
        below: HTML to stand under the answer.
        folder: Where the page will lie; each source then links to its document from there.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(answer.question[:120])}</title></head>"
        f'<body style="margin:0">{html_part(answer, corpus, folder)}{below}</body></html>\n'
    )


def html_part(answer: Answer, corpus: Corpus | None = None, folder: Path | None = None) -> str:
    """Return what a notebook shows.

    Args:
        answer: The answer.
        corpus: Where thumbnails are drawn from; None for none.
        folder: Where documents are linked from; None for no links.
    """
    anchor = "c" + hashlib.sha256(answer.model_dump_json().encode()).hexdigest()[:8]
    return "".join(
        [
            f'<style>{_STYLE}</style><section class="kimi-answer">',
            f"<h1>{escape(answer.question)}</h1>",
            f'<p><span class="status {answer.status}">{_status(answer)}</span></p>',
            _text(answer, anchor),
            *_citations(answer, corpus, anchor, folder),
            *_claims(answer),
            *_dropped(answer),
            _searched(answer),
            "</section>",
        ]
    )


def _status(answer: Answer) -> str:
    text = {"answered": "answered", "partly": "answered in part", "not_answered": "not answered"}
    return text[answer.status] + (", by a stand-in that is no model" if answer.stand_in else "")


def _text(answer: Answer, anchor: str) -> str:
    """Return the text with its marks as links to the sources below; films' with their time."""
    known = {one.number: one for one in answer.citations}

    def link(match: re.Match[str]) -> str:
        citation = known.get(int(match[1]))
        if citation is None:
            return match[0]
        time = "" if citation.start is None else f" · {clock(citation.start)}"
        place = escape(citation.place)
        return f'<a href="#{anchor}-{match[1]}" title="{place}">[{match[1]}{time}]</a>'

    unverified = f'<span class="unverified">{_UNVERIFIED}</span>'
    return _MARK.sub(link, to_html(answer.text).replace(_UNVERIFIED, unverified))


def _citations(
    answer: Answer, corpus: Corpus | None, anchor: str, folder: Path | None
) -> Iterator[str]:
    if answer.citations:
        yield "<h2>Sources</h2>"
    targets, scenes = _targets(corpus, folder), set[str]()
    for citation in answer.citations:
        shown = _place(citation, targets)
        pictures = "" if citation.link in scenes else _pictures(citation, corpus)
        if citation.start is not None:
            scenes.add(citation.link)
        yield (
            f'<figure id="{anchor}-{citation.number}"><figcaption><b>[{citation.number}]</b> '
            f"{shown}{_said(citation)}</figcaption>{pictures}</figure>"
        )


def _targets(corpus: Corpus | None, folder: Path | None) -> Mapping[str, str]:
    """Return the address of each document, as seen from a folder."""
    if corpus is None or folder is None:
        return {}
    here = folder.absolute()
    return {
        record.path: quote(Path(os.path.relpath(Path(record.source).absolute(), here)).as_posix())
        for record in corpus.documents()
        if record.source
    }


def _place(citation: Citation, targets: Mapping[str, str]) -> str:
    place = escape(citation.place)
    if citation.file not in targets:
        return place
    at = citation.link[len(citation.file) :]
    return f'<a href="{escape(targets[citation.file] + at)}" target="_blank">{place}</a>'


def _said(citation: Citation) -> str:
    if citation.seen:
        return f'<p class="note">Seen, not checked by code: {escape(citation.seen)}</p>'
    return f"<blockquote>{escape(citation.quote)}</blockquote>" if citation.quote else ""


def _pictures(citation: Citation, corpus: Corpus | None) -> str:
    if corpus is None:
        return ""
    from langchain_kimi.rag.answer.thumbnails import thumbnails

    drawn = thumbnails(corpus, citation)
    pictures = "".join(
        f'<img class="{"page" if index == 0 else "region"}" src="{picture.url}"'
        f' width="{picture.width}" height="{picture.height}" alt="{escape(citation.place)}">'
        for index, picture in enumerate(drawn)
    )
    time = f"<small>frame at {clock(citation.middle)}</small>" if citation.start is not None else ""
    return f'<div class="pictures">{pictures}{time}</div>' if pictures else ""


def _claims(answer: Answer) -> Iterator[str]:
    if not answer.claims:
        return
    yield "<h2>Statements</h2><table>"
    for claim in answer.claims:
        yield _claim(claim)
    yield "</table>"


def _claim(claim: Claim) -> str:
    marks = " ".join(f"[{number}]" for number in claim.citations)
    note = f" ({escape(claim.note)})" if claim.note else ""
    return (
        f"<tr><td>{escape(claim.text)} {marks}</td><td>{claim.confidence}"
        f"<small>{note}</small></td></tr>"
    )


def _dropped(answer: Answer) -> Iterator[str]:
    if not answer.dropped:
        return
    yield "<h2>Quotes that were dropped</h2><ul>"
    for one in answer.dropped:
        yield f"<li>{escape(one.place)}: “{escape(one.quote)}” – {escape(one.reason)}</li>"
    yield "</ul>"


def _searched(answer: Answer) -> str:
    searched, usage = answer.searched, answer.usage
    queries = "; ".join(escape(query) for query in searched.queries)
    return (
        f'<h2>Searched</h2><p class="note">{queries}<br>'
        f"{searched.shown} of {searched.candidates} candidates shown, "
        f"{searched.shown_as_pictures} as pictures, {searched.evidence_tokens:,} tokens; "
        f"{searched.rounds} round(s), {usage.calls} model call(s), "
        f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out.</p>"
    )
