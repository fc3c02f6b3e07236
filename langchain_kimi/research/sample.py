"""A small set of documents to try research on, drawn here: a mill that does not exist.

Two reports as PDF, notes in Markdown, a chart as a picture, a short film with subtitles. They are
under the project's licence.
"""

from __future__ import annotations

import ctypes
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pypdfium2 as pdfium
from PIL import Image, ImageDraw, ImageFont
from pypdfium2 import raw

QUESTION = (
    "How many tonnes of oats were sold in 2025? What did the repair of the water wheel cost? "
    "Which quarter used the most electricity? When does the tour show the grain store?"
)

_REPORT = [
    [
        "Lower Mill: annual report 2025",
        "",
        "1. Sales",
        "In 2025 the mill sold 81 tonnes of oats, 4 tonnes more than in 2024.",
        "Rye fell from 52 tonnes to 47 tonnes, as two bakeries closed.",
        "Barley stayed at 33 tonnes.",
        "",
        "Grain    2024    2025",
        "Oats       77      81",
        "Rye        52      47",
        "Barley     33      33",
    ],
    [
        "2. Staff and visitors",
        "Nine people work at the mill, six of them part-time.",
        "2,140 visitors came to the open days in May and September.",
        "",
        "3. Outlook",
        "For 2026 the mill plans a second cleaning machine for oats.",
    ],
]
_REPAIRS = [
    [
        "Repairs and maintenance 2025",
        "",
        "Water wheel",
        "The repair of the water wheel in March 2025 cost 18,400 euros.",
        "It took eleven days; the mill ran on its electric motor meanwhile.",
        "",
        "Roof",
        "The roof of the grain store was sealed for 3,950 euros.",
    ]
]
_NOTES = """# Notes on energy

The electric motor ran most in the first quarter of 2025, while the water wheel was repaired.

- The first quarter used the most electricity of 2025: 4,300 kilowatt hours.
- The second used 1,200, the third 1,900, the fourth 2,100 kilowatt hours.

## Next steps

A second meter is to tell the cleaning machine from the motor.
"""
_ELECTRICITY = {"Q1": 4300, "Q2": 1200, "Q3": 1900, "Q4": 2100}
_SCENES = [
    ("The water wheel", (40, 90, 140), "The tour begins at the water wheel."),
    ("The millstones", (120, 110, 100), "Here the millstones grind oats and rye."),
    ("The grain store", (170, 130, 50), "The tour ends in the grain store under the roof."),
]
_SCENE_SECONDS, _RATE, _SIZE = 4, 10, (480, 270)


def write_sample(folder: Path) -> Path:
    """Write the documents into a folder, about 200 KB; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_pdf(folder / "annual-report-2025.pdf", _REPORT)
    _write_pdf(folder / "repairs-2025.pdf", _REPAIRS)
    (folder / "energy-notes.md").write_text(_NOTES, "utf-8")
    _draw_chart().save(folder / "electricity-2025.png")
    _write_film(folder / "tour.mp4")
    (folder / "tour.srt").write_text(_subtitles(), "utf-8")
    return folder


def _write_pdf(path: Path, pages: list[list[str]]) -> None:
    document = pdfium.PdfDocument.new()
    for lines in pages:
        page = document.new_page(595, 842)
        for index, line in enumerate(lines):
            text = raw.FPDFPageObj_NewTextObj(document.raw, b"Helvetica", 18 if not index else 11)
            encoded = (line or " ").encode("utf-16-le") + b"\0\0"
            letters = (ctypes.c_ushort * (len(encoded) // 2)).from_buffer_copy(encoded)
            raw.FPDFText_SetText(text, letters)
            raw.FPDFPageObj_Transform(text, 1, 0, 0, 1, 72, 760 - 22 * index)
            raw.FPDFPage_InsertObject(page.raw, text)
        page.gen_content()
        page.close()
    document.save(path)
    document.close()


def _draw_chart() -> Image.Image:
    picture = Image.new("RGB", (900, 600), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((60, 30), "Electricity in 2025, kilowatt hours", fill="black", font=_font(32))
    for index, (name, value) in enumerate(_ELECTRICITY.items()):
        left, top = 110 + 190 * index, 520 - value // 10
        draw.rectangle((left, top, left + 120, 520), fill=(45, 110, 160))
        draw.text((left + 40, 530), name, fill="black", font=_font(28))
        draw.text((left + 20, top - 36), f"{value:,}", fill="black", font=_font(28))
    draw.line((80, 520, 860, 520), fill="black", width=3)
    return picture


def _write_film(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=_RATE)
        stream.width, stream.height = _SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _RATE)
        for title, colour, _ in _SCENES:
            for index in range(_SCENE_SECONDS * _RATE):
                frame = av.VideoFrame.from_ndarray(_frame(title, colour, index), format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _frame(title: str, colour: tuple[int, int, int], index: int) -> np.ndarray:
    picture = Image.new("RGB", _SIZE, colour)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((330 + index, 150, 430 + index, 250), fill=tuple(255 - part for part in colour))
    draw.text((30, 40), title, fill="white", font=_font(40))
    return np.asarray(picture)


def _subtitles() -> str:
    lines = []
    for index, (_, _, said) in enumerate(_SCENES):
        start, end = index * _SCENE_SECONDS, (index + 1) * _SCENE_SECONDS
        lines.append(f"{index + 1}\n00:00:{start:02},000 --> 00:00:{end:02},000\n{said}\n")
    return "\n".join(lines)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
