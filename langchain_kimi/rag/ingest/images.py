"""Pictures: their words by OCR, with boxes in pixels."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from langchain_kimi.rag.errors import FileTooLargeError, UnreadableFileError
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.ingest.files import MEDIA_TYPES
from langchain_kimi.rag.ingest.layout import find_blocks, find_lines, reading_order
from langchain_kimi.rag.ingest.ocr import OcrEngine, OcrError
from langchain_kimi.rag.ingest.parsed import Parsed, Part, Region
from langchain_kimi.rag.ingest.photos import LEAST_SHARE, photo_share

MAX_PIXELS = 120_000_000
_OCR_PIXELS = 16_000_000
_PHOTO_SIDE = 420


def parse_image(path: Path, *, ocr: OcrEngine | None = None) -> Parsed:
    """Parse a picture; of an animation, the first frame.

    Raises:
        UnreadableFileError: If it is damaged.
        FileTooLargeError: If it has too many pixels.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if image.width * image.height > MAX_PIXELS:
                raise _too_many_pixels(path)
            image.seek(0)
            grey = _flat(image)
            size = (float(image.width), float(image.height))
            photo = _is_photo(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        msg = f"{path.name} is no readable picture: {error}"
        raise UnreadableFileError(msg) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(path) from error
    regions, notes = read_picture(grey, ocr)
    whole = Region(kind="figure", text="", box=Box(0.0, 0.0, *size))
    text = "\n".join(region.text for region in regions)
    part = Part(number=1, text=text, size=size, regions=(*regions, whole), photo=photo, notes=notes)
    return Parsed(media_type=MEDIA_TYPES[path.suffix.lower()], parts=(part,), notes=notes)


def _too_many_pixels(path: Path) -> FileTooLargeError:
    return FileTooLargeError(f"{path.name} has too many pixels: {MAX_PIXELS} are allowed")


def _is_photo(image: Image.Image) -> bool:
    small = image.convert("RGB")
    small.thumbnail((_PHOTO_SIDE, _PHOTO_SIDE))
    whole = Box(0.0, 0.0, float(small.width), float(small.height))
    return photo_share(small, whole, [whole]) >= LEAST_SHARE


def _flat(image: Image.Image) -> Image.Image:
    """Return the picture in grey, on white where it is transparent."""
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("L")
    return image.convert("L")


def read_picture(
    grey: Image.Image, ocr: OcrEngine | None
) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Return the text blocks of a grey picture, with boxes in its pixels, and what failed."""
    if ocr is None:
        return (), ("picture not read: no OCR engine",)
    factor = 1.0
    if grey.width * grey.height > _OCR_PIXELS:
        factor = (_OCR_PIXELS / (grey.width * grey.height)) ** 0.5
        grey = grey.resize((int(grey.width * factor), int(grey.height * factor)))
    if min(grey.size) < 16:
        return (), ()
    try:
        words = ocr.read(grey)
    except OcrError as error:
        return (), (str(error),)
    blocks = find_blocks(find_lines(words))
    order = reading_order([block.box for block in blocks])
    regions = [
        Region(
            kind="text",
            text=blocks[index].text,
            box=Box(*(edge / factor for edge in blocks[index].box)),
            origin="ocr",
        )
        for index in order
    ]
    return tuple(regions), ()
