"""One PDF page as read: lines from the text layer and from OCR, pictures and paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pypdfium2 as pdfium
from PIL import Image, ImageDraw

from langchain_kimi.rag.geometry import Box, clusters, union
from langchain_kimi.rag.ingest import ocr as ocr_module
from langchain_kimi.rag.ingest.figures import MANY_SHAPES
from langchain_kimi.rag.ingest.graphics import Graphics, read_graphics
from langchain_kimi.rag.ingest.ink import INK_DPI, ink_boxes
from langchain_kimi.rag.ingest.layout import Line, find_lines
from langchain_kimi.rag.ingest.ocr import OcrEngine, OcrError
from langchain_kimi.rag.ingest.photos import LEAST_SHARE, PHOTO_DPI, photo_share
from langchain_kimi.rag.ingest.words import PageFrame, Word, read_words

_FEW_WORDS = 25
_LEAST_PICTURE = 0.015
_LEAST_SIDE = 36.0
_LARGE_PICTURE = 0.2
_WORDS_PER_AREA = 1 / 2_500
"""Words of the text layer in a picture, from which on it counts as covered: one in 50 x 50 pt."""
_MANY_PIXELS = 40_000_000
_LEAST_PIXELS = 3
_GARBLED = re.compile(r"[\ue000-\uf8ff\ufffd\x00-\x08\x0e-\x1f]|\(cid:\d+\)")


@dataclass(frozen=True)
class RawPage:
    """What a page holds before anything is made of it."""

    number: int
    box: Box
    lines: tuple[Line, ...]
    ocr_lines: tuple[Line, ...]
    graphics: Graphics
    notes: tuple[str, ...] = ()
    ink: tuple[Box, ...] = ()
    """Connected ink of a page with a large picture."""
    photo: bool = False

    @property
    def all_lines(self) -> tuple[Line, ...]:
        """Return the lines of the text layer, then those of OCR."""
        return (*self.lines, *self.ocr_lines)


def read_page(document: pdfium.PdfDocument, index: int, ocr: OcrEngine | None) -> RawPage:
    """Read page `index` (from 0); what its pictures show in words goes through OCR."""
    page = document[index]
    try:
        frame = PageFrame(page)
        words = read_words(page, frame)
        graphics = read_graphics(page, frame)
        if garbled(words):
            words = []
        photo = _has_photo(page, frame, graphics)
        wanted = unread_boxes(frame.box, words, graphics)
        notes: list[str] = []
        seen: list[Word] = []
        ink: list[Box] = []
        picture = render(page, ocr_module.DPI, grey=True) if wanted else None
        large = any(box.area > _LARGE_PICTURE * frame.box.area for box in graphics.images)
        if large or len(graphics.paths) > MANY_SHAPES:
            ink = ink_boxes(picture or render(page, INK_DPI, grey=True), frame.box)
        if wanted and ocr is None:
            notes.append(f"page {index + 1}: pictures not read, no OCR engine")
        elif picture is not None and ocr is not None:
            try:
                seen = _read_pictures(picture, frame, wanted, words, ocr)
            except OcrError as error:
                notes.append(f"page {index + 1}: {error}")
    finally:
        page.close()
    return RawPage(
        number=index + 1,
        box=frame.box,
        lines=tuple(find_lines(words)),
        ocr_lines=tuple(find_lines(seen)),
        graphics=graphics,
        notes=tuple(notes),
        ink=tuple(ink),
        photo=photo,
    )


def garbled(words: Sequence[Word]) -> bool:
    """Tell whether the text layer has no usable mapping to characters."""
    text = "".join(word.text for word in words)
    return len(text) > 40 and len(_GARBLED.findall(text)) > 0.3 * len(text)


def unread_boxes(page: Box, words: Sequence[Word], graphics: Graphics) -> list[Box]:
    """Return where the page shows more than its text layer says."""
    pictures = [
        box
        for box in graphics.images
        if box.area >= _LEAST_PICTURE * page.area and min(box.width, box.height) >= _LEAST_SIDE
    ]
    drawn = bool(graphics.images) or len(graphics.paths) > 60
    if len(words) < _FEW_WORDS and drawn:
        return [page]
    joined = [union(pictures[i] for i in group) for group in clusters(pictures, 2.0)]
    return [box for box in joined if _words_in(box, words) < _WORDS_PER_AREA * box.area]


def _has_photo(page: pdfium.PdfPage, frame: PageFrame, graphics: Graphics) -> bool:
    least = LEAST_SHARE * frame.box.area
    if sum(box.area for box in graphics.images) < least:
        return False
    return photo_share(render(page, PHOTO_DPI), frame.box, graphics.images) >= LEAST_SHARE


def _words_in(box: Box, words: Sequence[Word]) -> int:
    return sum(word.box.inside(box) > 0.5 for word in words)


def render(
    page: pdfium.PdfPage, dpi: float, *, grey: bool = False, box: Box | None = None
) -> Image.Image:
    """Draw a page, or a box of it; what is too large for memory is drawn smaller."""
    width, height = page.get_size()
    shown = box or Box(0.0, 0.0, width, height)
    scale = dpi / 72
    pixels = shown.area * scale * scale
    if pixels > _MANY_PIXELS:
        scale *= (_MANY_PIXELS / pixels) ** 0.5
    if min(shown.width, shown.height) * scale < _LEAST_PIXELS:
        shown = shown.grown(_LEAST_PIXELS / scale).clipped(Box(0.0, 0.0, width, height))
    cut = (shown.x0, height - shown.y1, width - shown.x1, shown.y0)
    bitmap = page.render(scale=scale, grayscale=grey, crop=cut)
    try:
        image: Image.Image = bitmap.to_pil().convert("L" if grey else "RGB")
        return image.copy()
    finally:
        bitmap.close()


def _read_pictures(
    picture: Image.Image, frame: PageFrame, wanted: list[Box], words: list[Word], ocr: OcrEngine
) -> list[Word]:
    scale = frame.width / picture.width
    area = union(wanted).clipped(frame.box)
    crop = Box(*(edge / scale for edge in area))
    left, top = int(crop.x0), int(crop.y0)
    masked = _masked(picture, wanted, scale).crop((left, top, round(crop.x1), round(crop.y1)))
    if min(masked.size) < 16:
        return []
    seen = ocr_module.place(ocr.read(masked), scale, left * scale, top * scale)
    return [word for word in seen if not _known(word, words)]


def _masked(picture: Image.Image, wanted: Sequence[Box], scale: float) -> Image.Image:
    """Paint everything outside the wanted boxes white."""
    mask = Image.new("1", picture.size, 0)
    draw = ImageDraw.Draw(mask)
    for box in wanted:
        draw.rectangle([edge / scale for edge in box], fill=1)
    return Image.composite(picture, Image.new("L", picture.size, 255), mask)


def _known(word: Word, words: Sequence[Word]) -> bool:
    return any(word.box.overlap(other.box) > 0.3 * word.box.area for other in words)
