"""What media cost is told before they are sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import langchain_kimi.content
from langchain_kimi.content import image, visual_tokens
from langchain_kimi.errors import KimiInvalidInputError


def test_every_way_to_name_a_picture(make: Any, tmp_path: Path) -> None:
    picture = Image.new("RGB", (640, 480), "navy")
    path = tmp_path / "a.png"
    picture.save(path)
    for media in ((640, 480), picture, path, str(path), path.read_bytes(), image(path)):
        assert visual_tokens(media) == 414
    assert visual_tokens([image(path), {"type": "text", "text": "x"}, image(picture)]) == 828
    assert visual_tokens(make.saved(picture, "TIFF")) == 414


def test_pointers_count_flatly() -> None:
    assert visual_tokens({"type": "image", "url": "https://x.test/a.png"}) == 2_000
    assert visual_tokens({"type": "video", "file_id": "f"}) == 30_000
    assert visual_tokens({"type": "text", "text": "x"}) == 0


def test_what_is_neither_picture_nor_film() -> None:
    with pytest.raises(KimiInvalidInputError, match="is application/pdf"):
        visual_tokens(b"%PDF-1.7")
    with pytest.raises(KimiInvalidInputError, match="no known type"):
        visual_tokens(b"hello")


def test_the_libraries_are_imported_when_needed() -> None:
    code = (
        "import sys, langchain_kimi.content as c, langchain_kimi.context\n"
        "c.image, c.video, c.document, c.visual_tokens\n"
        "c.image(url='https://x.test/a.png')\n"
        "print([m for m in ('PIL', 'av', 'pypdfium2', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names() -> None:
    assert sorted(langchain_kimi.content.__all__) == langchain_kimi.content.__all__
    for name in langchain_kimi.content.__all__:
        assert getattr(langchain_kimi.content, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = langchain_kimi.content.nothing
