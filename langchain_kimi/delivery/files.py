"""Moonshot's files: a film goes up once and is named `ms://id`."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from langchain_kimi.errors import KimiServerError
from langchain_kimi.transport.forms import Form, file_form

if TYPE_CHECKING:
    from langchain_kimi.delivery.uploads import Upload
    from langchain_kimi.transport import Transport
    from langchain_kimi.transport.reply import Reply

__all__ = ["LIFETIME", "asend_file", "send_file"]

ROUTE = "/files"
LIFETIME = math.inf
"""Moonshot keeps files until they are deleted."""

_ENDINGS = {
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-matroska": "mkv",
    "video/x-ms-wmv": "wmv",
    "video/x-msvideo": "avi",
    "video/3gpp": "3gp",
}


def send_file(transport: Transport, upload: Upload) -> str:
    """Upload a file and return its id.

    Raises:
        KimiError: The server refuses it or cannot be reached.
    """
    return _id(transport.post_form(ROUTE, _form(upload)))


async def asend_file(transport: Transport, upload: Upload) -> str:
    """Upload a file and return its id; see `send_file`."""
    form = await asyncio.to_thread(_form, upload)
    return _id(await transport.apost_form(ROUTE, form))


def _form(upload: Upload) -> Form:
    ending = _ENDINGS.get(upload.mime_type, "mp4")
    return file_form(
        {"purpose": upload.kind},
        name=upload.name or f"{upload.kind}.{ending}",
        mime_type=upload.mime_type,
        data=upload.data,
    )


def _id(reply: Reply) -> str:
    found: Any = reply.data.get("id")
    if not isinstance(found, str) or not found:
        msg = f"moonshot answered an upload without a file id: it has {sorted(reply.data)}"
        raise KimiServerError(msg, status=reply.status, endpoint="moonshot")
    return found
