"""From the media of a conversation to what its endpoint takes: the order of the steps.

Find the media that carry bytes, prepare them, upload what has to go up beforehand, put the
results where the media stood. Messages without media pass untouched, at the cost of looking.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, ToolMessage

from langchain_kimi.content.blocks import is_pinned, read_media_block
from langchain_kimi.delivery import assets, files
from langchain_kimi.delivery.films import frames, whole
from langchain_kimi.delivery.payload import naming, payload
from langchain_kimi.delivery.pictures import picture
from langchain_kimi.delivery.uploads import Upload
from langchain_kimi.errors import KimiError, KimiInvalidInputError
from langchain_kimi.wire.media import unshown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_kimi.content.blocks import Media
    from langchain_kimi.delivery.uploads import Uploads
    from langchain_kimi.endpoints import Endpoint
    from langchain_kimi.transport import Transport

__all__ = ["Route", "adeliver", "deliver"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Route:
    """How uploads leave a model."""

    base_url: str
    uploads: Uploads
    connect: Callable[[], Transport]
    """Returns the model's transport; called only when something goes up."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A medium with its bytes, and its place."""

    message: int
    block: int
    media: Media
    is_result: bool
    """Whether a tool returned it: then nobody can mend it, and the model reads what is wrong."""


_Parts = list["dict[str, Any] | Upload"]
_Plan = dict[tuple[int, int], _Parts]
"""What stands in for the block at a message's and a block's index."""


def deliver(
    messages: list[BaseMessage], endpoint: Endpoint, route: Route | None = None
) -> list[BaseMessage]:
    """Bring the media of a conversation into the forms that its endpoint takes.

    Pictures are prepared where they are beyond its limits. Films go whole to Moonshot, uploaded
    once where they are long, and as frames with their times elsewhere. Large pictures go to NVIDIA
    as assets, uploaded once; where the asset route is missing, refuses or fails, they go inline,
    which is said at debug level: the model is shown the same picture either way, and a server
    that finds it too large inline says so in an error of its own. A film that cannot be uploaded
    is the server's error, as there is no other way for it.

    Args:
        messages: The conversation; left untouched.
        endpoint: Where it goes.
        route: How uploads leave; without one everything stays inline, to count tokens.

    Returns:
        The same list where there is nothing to do.

    Raises:
        KimiInvalidInputError: A medium cannot be read; the message names its place.
        ImportError: A medium has to be prepared by a library that is not installed.
        KimiError: A film cannot be uploaded.
    """
    found = _find(messages)
    if not found:
        return messages
    plan = _planned(found, endpoint, lift=route is not None)
    if route is not None:
        for parts in plan.values():
            parts[:] = [
                _place(part, endpoint, route) if isinstance(part, Upload) else part
                for part in parts
            ]
    return _replaced(messages, plan)


async def adeliver(
    messages: list[BaseMessage], endpoint: Endpoint, route: Route | None = None
) -> list[BaseMessage]:
    """Bring the media of a conversation into the forms that its endpoint takes; see `deliver`.

    Pictures and films are worked on in a thread.
    """
    found = _find(messages)
    if not found:
        return messages
    plan = await asyncio.to_thread(_planned, found, endpoint, lift=route is not None)
    if route is not None:
        for parts in plan.values():
            parts[:] = [
                await _aplace(part, endpoint, route) if isinstance(part, Upload) else part
                for part in parts
            ]
    return _replaced(messages, plan)


def _find(messages: Sequence[BaseMessage]) -> list[_Found]:
    """List the pictures and films that carry their bytes; assistants send none."""
    found: list[_Found] = []
    for place, message in enumerate(messages):
        if isinstance(message.content, str) or isinstance(message, AIMessage):
            continue
        for index, block in enumerate(message.content):
            if not isinstance(block, dict) or block.get("type") == "text":
                continue
            media = read_media_block(block)
            if media and media.kind in ("image", "video") and payload(media) is not None:
                result = isinstance(message, ToolMessage)
                found.append(_Found(message=place, block=index, media=media, is_result=result))
    return found


def _planned(found: list[_Found], endpoint: Endpoint, *, lift: bool) -> _Plan:
    """Prepare all media; those that can go as they are have no entry."""
    plan: _Plan = {}
    for one in found:
        where = f"messages[{one.message}].content[{one.block}]"
        try:
            with naming(where):
                parts = _parts(one.media, endpoint, lift=lift)
        except KimiInvalidInputError as error:
            if not one.is_result:
                raise
            logger.warning("%s; the model is told so", error)
            parts = [unshown(str(error).removeprefix(f"{where}: "))]
        if parts is not None:
            plan[one.message, one.block] = parts
    return plan


def _parts(media: Media, endpoint: Endpoint, *, lift: bool) -> _Parts | None:
    if media.kind == "video":
        if not endpoint.native_video:
            return [_lifted(block, endpoint) if lift else block for block in frames(media)]
        upload = whole(media)
        return [upload] if upload and lift else None
    made = picture(media, endpoint)
    if not lift:
        return None if made is None else [made]
    block = made or {"type": "image", "base64": payload(media), "mime_type": media.mime_type}
    part = _lifted(block, endpoint)
    return None if part is block and made is None else [part]


def _lifted(block: dict[str, Any], endpoint: Endpoint) -> dict[str, Any] | Upload:
    """Return the upload that a picture needs, or the block where it needs none."""
    text = block.get("base64", "")
    if endpoint.uploads != "assets" or len(text) <= assets.INLINE_CHARACTERS:
        return block
    return Upload(kind="image", mime_type=block["mime_type"], text=text)


def _place(upload: Upload, endpoint: Endpoint, route: Route) -> dict[str, Any]:
    """Upload a medium and return the block that names it."""
    uploads = route.uploads
    if endpoint.uploads == "files":
        id_ = uploads.once(
            upload, lambda: files.send_file(route.connect(), upload), lifetime=files.LIFETIME
        )
        return upload.referred(id_)
    if uploads.refused:
        return upload.inline()
    try:
        id_ = uploads.once(
            upload,
            lambda: assets.send_asset(route.connect(), route.base_url, upload),
            lifetime=assets.LIFETIME,
        )
    except KimiError as error:
        return _inline(upload, uploads, error)
    return upload.referred(id_)


async def _aplace(upload: Upload, endpoint: Endpoint, route: Route) -> dict[str, Any]:
    """Upload a medium and return the block that names it; see `_place`."""
    uploads = route.uploads
    if endpoint.uploads == "files":
        id_ = await uploads.aonce(
            upload, lambda: files.asend_file(route.connect(), upload), lifetime=files.LIFETIME
        )
        return upload.referred(id_)
    if uploads.refused:
        return upload.inline()
    try:
        id_ = await uploads.aonce(
            upload,
            lambda: assets.asend_asset(route.connect(), route.base_url, upload),
            lifetime=assets.LIFETIME,
        )
    except KimiError as error:
        return _inline(upload, uploads, error)
    return upload.referred(id_)


def _inline(upload: Upload, uploads: Uploads, error: KimiError) -> dict[str, Any]:
    """Fall back to sending the bytes; a refusal that stays one is not asked for again."""
    if not error.is_retryable:
        uploads.refused = True
    logger.debug("a picture goes inline, as its upload failed: %s", error)
    return upload.inline()


def _replaced(messages: list[BaseMessage], plan: _Plan) -> list[BaseMessage]:
    """Return the conversation with the plan's parts in place of the blocks."""
    if not plan:
        return messages
    replaced = list(messages)
    for place in dict.fromkeys(message for message, _ in plan):
        message = messages[place]
        content: list[Any] = []
        for index, block in enumerate(message.content):
            parts = plan.get((place, index))
            content += [block] if parts is None else _pinned_like(block, parts)
        replaced[place] = message.model_copy(update={"content": content})
    return replaced


def _pinned_like(block: Any, parts: _Parts) -> _Parts:
    """Let what stands in for a pinned block be pinned too; cached parts stay as they are."""
    if not is_pinned(block):
        return parts
    return [
        {**part, "extras": {**part.get("extras", {}), "pinned": True}}
        if isinstance(part, dict) and part["type"] != "text"
        else part
        for part in parts
    ]
