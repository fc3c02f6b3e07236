"""Media blocks of every dialect are read into one shape."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from langchain_kimi.content.blocks import Media, read_media_block

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(120))
PNG64 = base64.b64encode(PNG).decode()
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(100)
MP4_64 = base64.b64encode(MP4).decode()

CASES: dict[str, tuple[dict[str, Any], Media]] = {
    "v1 image": (
        {"type": "image", "base64": PNG64, "mime_type": "image/png"},
        Media(kind="image", mime_type="image/png", base64=PNG64),
    ),
    "v1 image by url": (
        {"type": "image", "url": "https://x.test/a.png"},
        Media(kind="image", url="https://x.test/a.png"),
    ),
    "v1 image by id": (
        {"type": "image", "file_id": "file-1", "id": "lc_block"},
        Media(kind="image", file_id="file-1"),
    ),
    "v1 video": (
        {"type": "video", "base64": MP4_64, "mime_type": "video/mp4"},
        Media(kind="video", mime_type="video/mp4", base64=MP4_64),
    ),
    "v1 file": (
        {"type": "file", "file_id": "f", "mime_type": "application/pdf", "name": "a.pdf"},
        Media(kind="file", mime_type="application/pdf", file_id="f", name="a.pdf"),
    ),
    "v1 plain text": (
        {"type": "text-plain", "text": "hello", "mime_type": "text/plain", "title": "a.txt"},
        Media(kind="text", mime_type="text/plain", text="hello", name="a.txt"),
    ),
    "v1 plain text as base64": (
        {"type": "text-plain", "base64": "aMOp", "mime_type": "text/plain"},
        Media(kind="text", mime_type="text/plain", text="hé"),
    ),
    "v0 base64": (
        {"type": "image", "source_type": "base64", "data": PNG64, "mime_type": "image/png"},
        Media(kind="image", mime_type="image/png", base64=PNG64),
    ),
    "v0 url": (
        {"type": "image", "source_type": "url", "url": "https://x.test/a"},
        Media(kind="image", url="https://x.test/a"),
    ),
    "v0 id": (
        {"type": "file", "source_type": "id", "id": "file-2"},
        Media(kind="file", file_id="file-2"),
    ),
    "v0 text": (
        {"type": "file", "source_type": "text", "text": "hi", "mime_type": "text/plain"},
        Media(kind="text", mime_type="text/plain", text="hi"),
    ),
    "openai image_url": (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG64}"}},
        Media(kind="image", mime_type="image/png", url=f"data:image/png;base64,{PNG64}"),
    ),
    "openai bare image_url": (
        {"type": "image_url", "image_url": "ms://abc"},
        Media(kind="image", url="ms://abc"),
    ),
    "nvidia asset": (
        {"type": "image_url", "image_url": {"url": "data:image/png;asset_id,9f"}},
        Media(kind="image", mime_type="image/png", url="data:image/png;asset_id,9f"),
    ),
    "openai video_url": (
        {"type": "video_url", "video_url": {"url": "https://x.test/a.mp4"}},
        Media(kind="video", url="https://x.test/a.mp4"),
    ),
    "openai file": (
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjc=",
                                  "filename": "a.pdf"}},
        Media(kind="file", mime_type="application/pdf",
              url="data:application/pdf;base64,JVBERi0xLjc=", name="a.pdf"),
    ),
    "openai input_audio": (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        Media(kind="audio", mime_type="audio/wav", base64="AAAA"),
    ),
    "responses input_image": (
        {"type": "input_image", "image_url": "https://x.test/b.png"},
        Media(kind="image", url="https://x.test/b.png"),
    ),
    "anthropic base64": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG64}},
        Media(kind="image", mime_type="image/png", base64=PNG64),
    ),
    "anthropic url": (
        {"type": "image", "source": {"type": "url", "url": "https://x.test/c.png"}},
        Media(kind="image", url="https://x.test/c.png"),
    ),
    "anthropic text document": (
        {"type": "document", "title": "notes",
         "source": {"type": "text", "media_type": "text/plain", "data": "body"}},
        Media(kind="text", mime_type="text/plain", text="body", name="notes"),
    ),
    "google media": (
        {"type": "media", "mime_type": "video/mp4", "data": MP4_64},
        Media(kind="video", mime_type="video/mp4", base64=MP4_64),
    ),
    "agent-chat-ui picture": (
        {"type": "image", "mimeType": "image/png", "data": PNG64, "metadata": {"name": "a.png"}},
        Media(kind="image", mime_type="image/png", base64=PNG64, name="a.png"),
    ),
    "agent-chat-ui pdf": (
        {"type": "file", "mimeType": "application/pdf", "data": "JVBERi0xLjc=",
         "metadata": {"filename": "b.pdf"}},
        Media(kind="file", mime_type="application/pdf", base64="JVBERi0xLjc=", name="b.pdf"),
    ),
    "agent-chat-ui picture uploaded as a file": (
        {"type": "file", "mimeType": "image/png", "data": PNG64},
        Media(kind="image", mime_type="image/png", base64=PNG64),
    ),
    "lying mime type": (
        {"type": "image", "base64": PNG64, "mime_type": "image/jpeg"},
        Media(kind="image", mime_type="image/png", base64=PNG64),
    ),
    "lying data url": (
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{PNG64}"}},
        Media(kind="image", mime_type="image/png", base64=PNG64),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_known_blocks(name: str) -> None:
    block, media = CASES[name]
    before = repr(block)
    assert read_media_block(block) == media
    assert repr(block) == before


@pytest.mark.parametrize(
    "block",
    [
        {},
        {"type": "image"},
        {"type": "image", "base64": ""},
        {"type": "image", "base64": 7},
        {"type": "image_url", "image_url": {}},
        {"type": "document", "source": {"type": "content", "content": []}},
        {"type": "server_tool_call", "id": "1"},
        {"type": 3, "base64": PNG64},
    ],
)
def test_unknown_or_empty_blocks(block: dict[str, Any]) -> None:
    assert read_media_block(block) is None


def test_bytes_are_encoded() -> None:
    media = read_media_block({"type": "image", "data": PNG})
    assert media == Media(kind="image", mime_type="image/png", base64=PNG64)


def test_decode() -> None:
    def decoded(**block: Any) -> bytes | None:
        media = read_media_block(block)
        assert media is not None
        return media.decode()

    assert decoded(type="image", base64=PNG64) == PNG
    assert decoded(type="image_url", image_url=f"data:image/png;base64,{PNG64}") == PNG
    assert decoded(type="text-plain", text="é") == "é".encode()
    assert decoded(type="image", url="https://x.test/a") is None


def test_repr_does_not_show_the_data() -> None:
    media = read_media_block({"type": "image", "base64": PNG64})
    assert PNG64 not in repr(media)
    assert "image/png" in repr(media)
