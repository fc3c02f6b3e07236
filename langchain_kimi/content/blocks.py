"""Media blocks of every dialect that reaches a chat model, read into one shape.

Pure and without image libraries: the request conversion uses it on every message. Known are
langchain's v1 blocks and their predecessors (`source_type`), OpenAI's chat and responses parts,
Anthropic's `source`, Google's `media`, and the uploads of agent-chat-ui (`mimeType`, `data`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from langchain_kimi.content.sniff import HEAD, sniff

__all__ = ["Kind", "Media", "is_pinned", "read_media_block"]

Kind = Literal["image", "video", "audio", "file", "text"]

_KINDS: dict[str, Kind] = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "video": "video",
    "video_url": "video",
    "audio": "audio",
    "input_audio": "audio",
    "file": "file",
    "input_file": "file",
    "document": "file",
    "media": "file",
    "text-plain": "text",
}
_TEXT_TYPES = frozenset({"application/json", "application/xml", "application/yaml"})
_SNIFFED_CHARACTERS = HEAD // 3 * 4


@dataclass(frozen=True, kw_only=True)
class Media:
    """A picture, film, sound, file or text that a message carries.

    One of `base64`, `url`, `file_id` and `text` is set; a data URL stays in `url`, uncopied.
    """

    kind: Kind
    mime_type: str | None = None
    """What the bytes show, else what the block says."""
    base64: str | None = None
    url: str | None = None
    file_id: str | None = None
    text: str | None = None
    name: str | None = None

    def __repr__(self) -> str:
        """Show what it is, not its megabytes."""
        where = next(
            (key for key in ("base64", "url", "file_id", "text") if getattr(self, key) is not None),
            "nothing",
        )
        return f"Media({self.kind}, {self.mime_type}, {where}, name={self.name!r})"

    def decode(self) -> bytes | None:
        """Return the bytes where the block holds them, None where it only points to them.

        Raises:
            ValueError: The base64 text is broken.
        """
        if self.text is not None:
            return self.text.encode()
        data = self.base64
        if data is None and self.url is not None:
            data = _data_of_url(self.url)
        return None if data is None else base64.b64decode(data)


def read_media_block(block: Mapping[str, Any]) -> Media | None:
    """Read a content block that is not text.

    Args:
        block: A content block of a message.

    Returns:
        The medium, or None where the block is of no known type or holds nothing.
    """
    kind = _KINDS.get(str(block.get("type")))
    if kind is None:
        return None
    body = _body(block)
    found = _content(body, kind)
    if found is None:
        return None
    declared = _first(body, "mime_type", "mimeType", "media_type", "mediaType")
    media_format = body.get("format")
    if declared is None and isinstance(media_format, str):
        declared = f"{kind}/{media_format}"
    return _typed(kind, declared, found, _name(block, body))


def is_pinned(block: Any) -> bool:
    """Tell whether a block is to stay when a conversation is shortened.

    Args:
        block: A content block; `image(..., pinned=True)` marks one under `extras`.
    """
    extras = block.get("extras") if isinstance(block, Mapping) else None
    return isinstance(extras, Mapping) and bool(extras.get("pinned"))


def _body(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the mapping that holds the data: the block, or the one nested in it."""
    for key in ("image_url", "video_url", "input_audio", "file", "source"):
        inner = block.get(key)
        if isinstance(inner, Mapping):
            return inner
    return block


def _content(body: Mapping[str, Any], kind: Kind) -> dict[str, str] | None:
    """Return what of base64, url, file_id and text the block holds."""
    source = body.get("source_type") or body.get("type")
    data = body.get("base64", body.get("data"))
    if isinstance(data, bytes):
        data = base64.b64encode(data).decode()
    if isinstance(data, str) and data:
        if data.startswith("data:"):
            return {"url": data}
        return {"text": data} if source == "text" else {"base64": data}
    text = body.get("text")
    if isinstance(text, str) and (kind == "text" or source == "text"):
        return {"text": text}
    url = _first(body, "url", "image_url", "video_url", "file_data", "file_url", "file_uri")
    if url is not None:
        return {"url": url}
    file_id = _first(body, "file_id") or (_first(body, "id") if source == "id" else None)
    return None if file_id is None else {"file_id": file_id}


def _typed(kind: Kind, declared: str | None, found: dict[str, str], name: str | None) -> Media:
    """Give the medium the type that its bytes show, and the kind that follows from the type."""
    url = found.get("url", "")
    if url.startswith("data:"):
        declared = url[5 : url.find(",")].split(";", 1)[0] or declared
    mime_type = _sniffed(found.get("base64", ""), url) or declared
    if kind == "file" and mime_type:
        kind = _kind_of(mime_type)
    if mime_type != declared or kind == "text":
        data = _data_of_url(url)
        found = {"base64": data} if data is not None else found
    if kind == "text" and "base64" in found:
        text = _decoded_text(found["base64"])
        if text is None:
            kind = "file"
        else:
            found = {"text": text}
    if "text" in found:
        kind = "text"
    return Media(kind=kind, mime_type=mime_type, name=name, **cast("dict[str, Any]", found))


def _kind_of(mime_type: str) -> Kind:
    family = mime_type.split("/", 1)[0]
    if family in ("image", "video", "audio", "text"):
        return cast("Kind", family)
    return "text" if mime_type.split(";", 1)[0] in _TEXT_TYPES else "file"


def _data_of_url(url: str) -> str | None:
    """Return the base64 text of a data URL; None for any other, asset ids included."""
    start = _data_start(url)
    return url[start:] if start else None


def _data_start(url: str) -> int:
    if not url.startswith("data:"):
        return 0
    comma = url.find(",", 0, 200)
    return comma + 1 if url[: max(comma, 0)].endswith(";base64") else 0


def _sniffed(data: str, url: str) -> str | None:
    start = _data_start(url)
    head = url[start : start + _SNIFFED_CHARACTERS] if start else data[:_SNIFFED_CHARACTERS]
    try:
        return sniff(base64.b64decode(head + "=="))
    except (binascii.Error, ValueError):
        return None


def _decoded_text(data: str) -> str | None:
    try:
        return base64.b64decode(data).decode()
    except ValueError:
        return None


def _name(block: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    for place in (block, body, block.get("metadata"), block.get("extras")):
        if isinstance(place, Mapping):
            found = _first(place, "name", "filename", "title")
            if found is not None:
                return found
    return None


def _first(mapping: Mapping[str, Any], *keys: str) -> str | None:
    """Return the first value that is a string with something in it."""
    return next((v for key in keys if isinstance(v := mapping.get(key), str) and v), None)
