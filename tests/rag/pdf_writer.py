"""Writes PDF files, byte for byte the same each time, with known boxes in points."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from PIL import Image

from langchain_kimi.rag import Box

WIDTH, HEIGHT = 612.0, 792.0


@dataclass
class PdfPage:
    """A page that is drawn in order."""

    width: float = WIDTH
    height: float = HEIGHT
    rotate: int = 0
    content: list[str] = field(default_factory=list)
    images: list[Image.Image] = field(default_factory=list)

    def text(
        self, x: float, top: float, text: str, size: float = 11, *, bold: bool = False
    ) -> None:
        """Write a line whose capitals begin `top` points below the upper edge."""
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        baseline = self.height - top - 0.72 * size
        font = "F2" if bold else "F1"
        self.content.append(f"BT /{font} {size} Tf {x:.2f} {baseline:.2f} Td ({escaped}) Tj ET")

    def paragraph(self, x: float, top: float, lines: list[str], size: float = 11) -> float:
        """Write lines under each other; return where they end."""
        for index, line in enumerate(lines):
            self.text(x, top + index * 1.25 * size, line, size)
        return top + len(lines) * 1.25 * size

    def rectangle(self, box: Box, grey: float = 0.6) -> None:
        y = self.height - box.y1
        self.content.append(
            f"{grey} g {box.x0:.2f} {y:.2f} {box.width:.2f} {box.height:.2f} re f 0 g"
        )

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.content.append(
            f"0.8 w {x0:.2f} {self.height - y0:.2f} m {x1:.2f} {self.height - y1:.2f} l S"
        )

    def picture(self, box: Box, image: Image.Image) -> None:
        self.images.append(image)
        name = f"I{len(self.images)}"
        self.content.append(
            f"q {box.width:.2f} 0 0 {box.height:.2f} {box.x0:.2f} {self.height - box.y1:.2f} cm"
            f" /{name} Do Q"
        )

    def table(self, x: float, top: float, rows: list[list[str]], widths: list[float]) -> Box:
        """Draw a ruled table; return its box."""
        height = 18.0
        right, bottom = x + sum(widths), top + height * len(rows)
        for index in range(len(rows) + 1):
            self.line(x, top + index * height, right, top + index * height)
        for index, row in enumerate(rows):
            left = x
            for cell, width in zip(row, widths, strict=True):
                self.text(left + 4, top + index * height + 5, cell, 10, bold=index == 0)
                left += width
        return Box(x, top, right, bottom)

    def bars(self, box: Box, values: list[float], labels: list[str]) -> Box:
        """Draw a bar chart with labels under its bars; return the box of all of it."""
        step, highest = box.width / len(values), max(values)
        self.line(box.x0, box.y0, box.x0, box.y1)
        self.line(box.x0, box.y1, box.x1, box.y1)
        for index, (value, label) in enumerate(zip(values, labels, strict=True)):
            left = box.x0 + index * step + 0.2 * step
            top = box.y1 - box.height * value / highest
            self.rectangle(Box(left, top, left + 0.6 * step, box.y1))
            self.text(left, box.y1 + 3, label, 8)
        return Box(box.x0, box.y0, box.x1, box.y1 + 11)


@dataclass
class PdfFile:
    """Pages with a title and bookmarks."""

    title: str = ""
    pages: list[PdfPage] = field(default_factory=list)

    def page(self, **options: float) -> PdfPage:
        page = PdfPage(**options)  # type: ignore[arg-type]
        self.pages.append(page)
        return page

    def to_bytes(self) -> bytes:
        objects: list[bytes] = [b""] * 4
        objects[2] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
        objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
        kids = [self._page(page, objects) for page in self.pages]
        objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
        listed = b" ".join(b"%d 0 R" % kid for kid in kids)
        objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), listed)
        title = self.title.encode("latin-1")
        objects.append(b"<< /Title (%s) /CreationDate (D:20240102030405Z) >>" % title)
        return _assemble(objects)

    def _page(self, page: PdfPage, objects: list[bytes]) -> int:
        names = []
        for index, image in enumerate(page.images, start=1):
            pixels = zlib.compress(image.convert("L").tobytes(), 6)
            head = (
                f"<< /Type /XObject /Subtype /Image /Width {image.width} /Height {image.height}"
                f" /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode"
                f" /Length {len(pixels)} >>\nstream\n"
            )
            objects.append(head.encode() + pixels + b"\nendstream")
            names.append(f"/I{index} {len(objects)} 0 R")
        stream = "\n".join(page.content).encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        content = len(objects)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.width:g} {page.height:g}]"
            f" /Rotate {page.rotate} /Contents {content} 0 R /Resources << /Font << /F1 3 0 R"
            f" /F2 4 0 R >> /XObject << {' '.join(names)} >> >> >>".encode()
        )
        return len(objects)


def _assemble(objects: list[bytes]) -> bytes:
    data = bytearray(b"%PDF-1.5\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        len(objects),
        start,
    )
    return bytes(data)
