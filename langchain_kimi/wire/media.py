"""Content of messages: text and media, in the shapes that the chat routes take.

Only the user role may carry a list of parts: NVIDIA documents that for system and assistant
messages "the object list format is not supported", and pictures in tool results are undefined in
the templates. Media from other roles therefore move into a user message that follows and says
where they come from. A block of any other kind is an error: nothing vanishes. What tools and other
models wrote is none, as it stands in the conversation for good and nobody can mend it: the model
reads what cannot be shown.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_kimi.content.blocks import read_media_block
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.labels import is_time

if TYPE_CHECKING:
    from langchain_kimi.content.blocks import Media
    from langchain_kimi.endpoints import Endpoint

__all__ = ["Content", "asset_ids", "read_content", "spoken", "unshown"]

logger = logging.getLogger(__name__)

OWN_BLOCKS = (
    "reasoning",
    "thinking",
    "redacted_thinking",
    "tool_call",
    "tool_call_chunk",
    "invalid_tool_call",
    "tool_use",
    "function_call",
    "input_json_delta",
)
"""Content blocks of assistant messages that say what `tool_calls` and the reasoning say."""
_SHOWN_JSON = 4_000
"""Characters of a tool's block of no known type that the model is shown as JSON."""
_URL_SCHEMES = ("http://", "https://", "data:", "ms://")


@dataclass(kw_only=True, slots=True)
class Content:
    """What a message says, split by what may stand where."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    """Text and media parts in the caller's order."""

    @property
    def media(self) -> list[dict[str, Any]]:
        """The parts that are no text."""
        return [part for part in self.parts if part["type"] != "text"]

    @property
    def moving(self) -> list[dict[str, Any]]:
        """What goes along where media stand in another message: they and the times of frames."""
        return [part for place, part in enumerate(self.parts) if not self._stays(place)]

    def text(self, separator: str = "\n") -> str:
        """The text parts, joined."""
        return separator.join(
            part["text"] for place, part in enumerate(self.parts) if self._stays(place)
        )

    def _stays(self, place: int) -> bool:
        part, *following = self.parts[place : place + 2]
        if part["type"] != "text":
            return False
        return not (following and following[0]["type"] == "image_url" and is_time(part))

    def for_user(self) -> str | list[dict[str, Any]]:
        """A string where there is only text (every server joins text parts by a newline)."""
        return self.parts if self.media else self.text()


def read_content(
    content: str | list[Any], *, where: str, endpoint: Endpoint, role: str = "user"
) -> Content:
    """Read a message's content.

    Args:
        content: A string or a list of blocks: langchain v1, OpenAI, Anthropic, agent-chat-ui.
        where: The message's place, for error messages: `messages[3]`.
        endpoint: Decides whether a video can be sent as such.
        role: Whose message it is: what a tool returned is no error.

    Raises:
        KimiInvalidInputError: A block cannot be sent; it names the block's type and index.
    """
    if isinstance(content, str):
        return Content(parts=[_text(content)] if content else [])
    parts = []
    for index, block in enumerate(content):
        place = f"{where}.content[{index}]"
        read = _returned if role == "tool" else _part
        part = read(block, where=place, endpoint=endpoint)
        if part is not None:
            parts.append(part)
    return Content(parts=parts)


def unshown(reason: str) -> dict[str, Any]:
    """Return the text that stands in for a part of a tool's result that cannot be sent."""
    return _text(f"[A part of this result cannot be shown: {reason}]")


def _returned(block: Any, *, where: str, endpoint: Endpoint) -> dict[str, Any] | None:
    """Read a block that a tool returned: MCP servers send more kinds than Kimi reads."""
    try:
        return _part(block, where=where, endpoint=endpoint)
    except KimiInvalidInputError as error:
        logger.warning("%s; the model is told so", error)
        shown = json.dumps(block, ensure_ascii=False, default=str)
        is_media = isinstance(block, dict) and read_media_block(block) is not None
        if not is_media and len(shown) <= _SHOWN_JSON:
            return _text(shown)
        return unshown(f"it {str(error).removeprefix(where).strip()}")


def spoken(content: str | list[Any], *, where: str) -> str:
    """Return what a model wrote, which may have been another provider's: its text.

    Args:
        content: A string or a list of blocks.
        where: The message's place, for the log: `messages[3]`.
    """
    if isinstance(content, str):
        return content
    return "".join(_spoken(block, where) for block in content)


def _spoken(block: Any, where: str) -> str:
    if not isinstance(block, dict):
        return block if isinstance(block, str) else ""
    kind = block.get("type")
    text = block.get(kind) if kind in ("text", "refusal") else None
    if isinstance(text, str):
        return text
    media = read_media_block(block)
    if media is not None:
        return f"[{media.kind}: {_told(media)}]"
    if kind not in OWN_BLOCKS:
        logger.debug("%s: left out a block of type %r, which another model wrote", where, kind)
    return ""


def _part(block: Any, *, where: str, endpoint: Endpoint) -> dict[str, Any] | None:
    if isinstance(block, str):
        return _text(block) if block else None
    if isinstance(block, dict) and block.get("type") == "text":
        text = block.get("text")
        if text is not None and not isinstance(text, str):
            msg = f"{where} is a text block whose text is a {type(text).__name__}, not a str"
            raise KimiInvalidInputError(msg)
        return _text(text) if text else None
    media = read_media_block(block) if isinstance(block, dict) else None
    if media is None:
        kind = block.get("type") if isinstance(block, dict) else type(block).__name__
        msg = (
            f"{where} is a block of type {kind!r}, which Kimi does not take; use text, image "
            "or video blocks (langchain_kimi.content makes them from files)"
        )
        raise KimiInvalidInputError(msg)
    return _media_part(media, where=where, endpoint=endpoint)


def _media_part(media: Media, *, where: str, endpoint: Endpoint) -> dict[str, Any]:
    if media.kind == "text" and media.text is not None:
        return _text(media.text)
    if media.kind == "image":
        return {"type": "image_url", "image_url": {"url": _url(media, where, endpoint)}}
    if media.kind == "video" and endpoint.native_video and not _is_link(media):
        return {"type": "video_url", "video_url": {"url": _url(media, where, endpoint)}}
    hints = {
        "video": "send sampled frames of a local copy: langchain_kimi.content.video(path)",
        "file": "send its pages as text and pictures: langchain_kimi.content.document(path)",
        "audio": "Kimi hears nothing: send a transcript as text",
    }
    msg = (
        f"{where} is a {media.kind} block ({_told(media)}), which the "
        f"endpoint {endpoint.name!r} does not take; {hints.get(media.kind, 'send it as text')}"
    )
    raise KimiInvalidInputError(msg)


def _told(media: Media) -> str:
    kind = media.mime_type or "no mime type"
    if media.file_id is not None:
        return f"{kind}, by file id"
    return f"{kind}, by URL" if media.url and not media.url.startswith("data:") else kind


def _is_link(media: Media) -> bool:
    """Whether a server would have to fetch it: Moonshot's guide takes films as bytes or uploads."""
    return media.url is not None and media.url.startswith(("http://", "https://"))


def _url(media: Media, where: str, endpoint: Endpoint) -> str:
    if media.base64 is not None:
        return f"data:{media.mime_type or f'{media.kind}/*'};base64,{media.base64}"
    if media.file_id is not None:
        if endpoint.uploads == "files":
            return f"ms://{media.file_id.removeprefix('ms://')}"
        if endpoint.uploads == "assets":
            return f"data:{media.mime_type or 'image/png'};asset_id,{media.file_id}"
        msg = (
            f"{where} names a file id, which the endpoint {endpoint.name!r} does not know; "
            "send the bytes: langchain_kimi.content.image(path)"
        )
        raise KimiInvalidInputError(msg)
    url = media.url or ""
    if not url.startswith(_URL_SCHEMES):
        scheme = url.split(":", 1)[0][:20]
        msg = (
            f"{where} has a URL of scheme {scheme!r}; http(s), data: and ms:// can be sent. "
            "A local file is read only when you ask for it: langchain_kimi.content.image(path)"
        )
        raise KimiInvalidInputError(msg)
    return url


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def asset_ids(messages: list[dict[str, Any]]) -> list[str]:
    """List the NVCF assets that a request refers to (`data:image/png;asset_id,ID`).

    NVIDIA wants them in the header `NVCF-INPUT-ASSET-REFERENCES` too, as ChatNVIDIA sends them.
    """
    found = []
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            url = part.get("image_url", {}).get("url", "")
            if ";asset_id," in url[:64]:
                found.append(url.split(";asset_id,", 1)[1])
    return list(dict.fromkeys(found))
