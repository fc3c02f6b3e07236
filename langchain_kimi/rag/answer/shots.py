"""Pictures of sources as content blocks: pages, crops, frames; each is drawn once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from langchain_kimi.content.cache import Cache, Encoded
from langchain_kimi.content.encoding import encode_jpeg
from langchain_kimi.content.pages import PDFIUM_LOCK
from langchain_kimi.content.pictures import picture_block
from langchain_kimi.rag.answer.candidates import View, candidate_of, crop_view
from langchain_kimi.rag.answer.sources import Source
from langchain_kimi.rag.errors import RagError
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.ingest.pages import render
from langchain_kimi.rag.ingest.pdf import open_pdf
from langchain_kimi.rag.pictures import picture_of, unchanged
from langchain_kimi.rag.retrieve.search import Found, clock

CACHE = Cache(128_000_000)
"""Drawn pages by file, place and size, for the whole process."""

_QUALITY = 80


def blocks_of(sources: Sequence[Source]) -> dict[int, list[dict[str, Any]]]:
    """Return the content blocks of each source by its number; pictures are drawn now."""
    draw_pages(sources)
    return {source.number: list(source_blocks(source)) for source in sources}


def seen_in(blocks: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[int]:
    """Return the numbers of the sources that a picture is shown of."""
    return [
        number for number, held in blocks.items() if any(one["type"] == "image" for one in held)
    ]


def source_blocks(source: Source) -> Iterator[dict[str, Any]]:
    """Yield a source as content blocks: its name and text, its picture, its crops.

    A file that has changed since it was ingested has no pictures; its source says so.
    """
    text = source.text if source.slot.text else ""
    yield _said(f"{source.head}\n{text}".rstrip())
    try:
        yield from _pictures(source)
    except RagError as error:
        yield _said(f"[S{source.number}] has no picture: {error}")


def _pictures(source: Source) -> Iterator[dict[str, Any]]:
    view, found = source.slot.view, source.found
    if view is None:
        return
    if view.timed:
        for seconds, frame in frames(found, view):
            yield _said(f"[S{source.number}] at {clock(seconds)}")
            yield picture_block(frame, name=f"{found.document.path} {clock(seconds)}")
        return
    yield picture_block(page_picture(found, view), name=found.place)
    for box in source.slot.crops:
        edges = " ".join(f"{edge:.0f}" for edge in box)
        yield _said(f"[S{source.number}] enlarged, box {edges}:")
        crop = page_picture(found, crop_view(candidate_of(found), box), box)
        yield picture_block(crop, name=found.place)


def draw_pages(sources: Iterable[Source]) -> None:
    """Draw the PDF pages of sources, each file opened once; `page_picture` finds them drawn."""
    by_file: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        view = source.slot.view
        if view is not None and view.dpi and CACHE.get(_key(source.found, view)) is None:
            by_file[source.found.document.id].append(source)
    for group in by_file.values():
        try:
            path = unchanged(group[0].found.document)
            with PDFIUM_LOCK, open_pdf(path) as document:
                for source in group:
                    _draw(document, source)
        except RagError:
            continue  # each of its sources says so, where its picture would stand


def _draw(document: Any, source: Source) -> None:
    view = source.slot.view
    if view is not None:
        page = document[source.found.page - 1]
        try:
            CACHE.put(_key(source.found, view), _encoded(render(page, view.dpi), view))
        finally:
            page.close()


def _key(found: Found, view: View, box: Box | None = None) -> tuple[Any, ...]:
    return ("page", found.document.sha256, found.page, view, box)


def page_picture(found: Found, view: View, box: Box | None = None) -> Encoded:
    """Draw a page or a region of it at the size of a view.

    Raises:
        StaleFileError: If the file is gone or has changed since it was ingested.
    """
    key = _key(found, view, box)
    known = CACHE.get(key)
    if known is None:
        with PDFIUM_LOCK:
            drawn = picture_of(found, dpi=view.dpi or 144, box=box)
        known = _encoded(drawn, view)
        CACHE.put(key, known)
    return known


def frames(found: Found, view: View) -> list[tuple[float, Encoded]]:
    """Return frames of a scene with their times, evenly spread.

    Raises:
        StaleFileError: If the file is gone or has changed since it was ingested.
    """
    from langchain_kimi.rag.answer.footage import frame_pictures

    start, end = found.start or 0.0, found.end or 0.0
    step = (end - start) / view.frames
    times = [start + (index + 0.5) * step for index in range(view.frames)]
    keys = [("frame", found.document.sha256, time, view) for time in times]
    held = [one for one in map(CACHE.get, keys) if one is not None]
    if len(held) < len(keys):
        held = [_encoded(picture, view) for picture in frame_pictures(found, times)]
        for key, made in zip(keys, held, strict=True):
            CACHE.put(key, made)
    return list(zip(times, held, strict=True))


def _encoded(picture: Image.Image, view: View) -> Encoded:
    size = (view.width, view.height)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return encode_jpeg(picture.convert("RGB"), quality=_QUALITY)


def _said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def scaled_view(found: Found, *, tokens: int, box: Box | None = None) -> View:
    """Return the sharpest view of a page, or of a region of it, that costs at most `tokens`."""
    candidate = candidate_of(found)
    if box is not None:
        view = crop_view(candidate, box)
        if view.tokens > tokens:
            scale = math.sqrt(tokens / view.tokens) * 0.97
            view = View(
                max(1, int(view.width * scale)),
                max(1, int(view.height * scale)),
                dpi=view.dpi * scale,
            )
        return view
    affordable = [view for view in candidate.views if view.tokens <= tokens]
    return affordable[-1] if affordable else candidate.views[0]
