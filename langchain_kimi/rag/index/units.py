"""From a parsed document to the units that are indexed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from langchain_kimi.rag.geometry import union
from langchain_kimi.rag.index.records import Unit
from langchain_kimi.rag.ingest.parsed import Parsed, Part, Region
from langchain_kimi.rag.references import item_refs
from langchain_kimi.rag.text import tokens

CHUNK_CHARACTERS = 900
_LEAST_FIGURE = 30
_LARGE_FIGURE = 0.05
_NAME = re.compile(r"[_\W]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[a-z])(?=\d)", re.ASCII)
_WIDE = 1.15
"""Width to height from which on a page has the shape of a slide."""


def build_units(document_id: str, path: str, parsed: Parsed) -> list[Unit]:
    """Return the units of a document: itself, its pages or scenes, and their chunks."""
    name = _NAME.sub(" ", PurePosixPath(path).stem)
    title = tokens(f"{name} {_CAMEL.sub(' ', name)} {parsed.title}")
    units: list[Unit] = []
    words: Counter[str] = Counter()
    for part in parsed.parts:
        page = _page_unit(document_id, part, len(parsed.parts))
        words.update(page.body.split())
        units.append(page)
        for number, chunk in enumerate(_chunks(part)):
            units.append(_chunk_unit(document_id, part, number, chunk))
    body = " ".join(
        word for word, count in sorted(words.items()) for _ in range(1 + round(math.log2(count)))
    )
    whole = Unit(
        id=f"{document_id}:0",
        document_id=document_id,
        level="document",
        kind="document",
        page=0,
        text=parsed.title or path,
        head=" ".join(dict.fromkeys(title)),
        body=body,
        refs=" ".join(f"named:{word}" for word in dict.fromkeys(title)),
    )
    return [whole, *units]


def _page_unit(document_id: str, part: Part, count: int) -> Unit:
    return Unit(
        id=f"{document_id}:{part.number}",
        document_id=document_id,
        level="page",
        kind="page" if part.start is None else "scene",
        page=part.number,
        text=part.text,
        body=" ".join(tokens(part.text)),
        refs=" ".join(_page_refs(part, count)),
        label=part.label,
        headings=part.regions[0].headings if part.regions else (),
        page_size=part.size,
        start=part.start,
        end=part.end,
        origin="ocr" if _mostly_ocr(part) else "layer",
    )


def _mostly_ocr(part: Part) -> bool:
    ocr = sum(len(region.text) for region in part.regions if region.origin == "ocr")
    return ocr * 2 > max(len(part.text), 1)


def _page_refs(part: Part, count: int) -> list[str]:
    refs = [f"page:{part.number}", *(f"label:{label.lower()}" for label in part.label.split())]
    if part.number == count:
        refs.append("page:last")
    if part.number == count - 1:
        refs.append("page:last2")
    if part.photo:
        refs.append("has:photo")
    if part.start is None and part.size and part.size[0] > _WIDE * part.size[1]:
        refs.append("shape:slide")
    for region in part.regions:
        refs += item_refs(region.text[:60], leading=True)
        refs += [f"see:{ref}" for ref in item_refs(region.text)]
        if region.kind == "table":
            refs.append("has:table")
        if region.kind == "figure" and _is_large(region, part):
            refs.append("has:figure")
    return list(dict.fromkeys(refs))


def _is_large(region: Region, part: Part) -> bool:
    if region.box is None or part.size is None:
        return True
    return region.box.area > _LARGE_FIGURE * part.size[0] * part.size[1]


def _chunks(part: Part) -> Iterator[list[Region]]:
    """Yield runs of text up to a chunk's length; tables and figures stand alone."""
    run: list[Region] = []
    length = 0
    for region in part.regions:
        if region.kind in ("table", "figure"):
            if len(region.text) + len(region.caption) > _LEAST_FIGURE:
                yield [region]
            continue
        if run and length + len(region.text) > CHUNK_CHARACTERS:
            yield run
            run, length = [], 0
        run.append(region)
        length += len(region.text)
    if run:
        yield run


def _chunk_unit(document_id: str, part: Part, number: int, regions: Sequence[Region]) -> Unit:
    first = regions[0]
    boxes = [region.box for region in regions if region.box is not None]
    text = "\n".join(region.text for region in regions)
    shown = {region.text for region in regions}
    headings = [heading for heading in first.headings if heading not in shown]
    return Unit(
        id=f"{document_id}:{part.number}:{number}",
        document_id=document_id,
        level="chunk",
        kind=first.kind if first.kind in ("table", "figure") else "text",
        page=part.number,
        text=text,
        head=" ".join(tokens(" ".join(headings))),
        body=" ".join(tokens(f"{first.caption}\n{text}")),
        label=part.label,
        caption=first.caption,
        headings=first.headings,
        box=union(boxes) if boxes else None,
        page_size=part.size,
        start=part.start,
        end=part.end,
        origin=first.origin,
    )
