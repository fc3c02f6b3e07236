"""NVIDIA's assets: a large picture is announced, put to a signed address, and named by its id.

The key goes to the host that is announced to, which is NVIDIA's own or the one of `base_url`, and
never to the signed address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from langchain_kimi.endpoints import is_nvidia_hosted
from langchain_kimi.errors import KimiServerError

if TYPE_CHECKING:
    from langchain_kimi.delivery.uploads import Upload
    from langchain_kimi.transport import Transport
    from langchain_kimi.transport.reply import Reply

__all__ = ["INLINE_CHARACTERS", "LIFETIME", "asend_asset", "send_asset"]

INLINE_CHARACTERS = 180_000
"""Up to here the base64 text of a picture goes inline. NVIDIA's reference says that images of more
than 180 KB need the asset API (llama-3.1-nemotron-nano-vl-8b-v1; other pages say 200 KB); the page
of Kimi K2.6 speaks of large images and gives no figure, so that it holds here is inferred."""

LIFETIME = 20 * 3600.0
"""Seconds for which an id is used: NVIDIA deletes assets after 24 hours."""

ROUTE = "/assets"
_NVIDIA = "https://api.nvcf.nvidia.com/v2/nvcf"
_DESCRIPTION = "picture of a conversation"


def send_asset(transport: Transport, base_url: str, upload: Upload) -> str:
    """Upload a picture and return the asset's id.

    Args:
        transport: The model's.
        base_url: The model's; decides where the asset route is.
        upload: The picture.

    Raises:
        KimiError: The route is not there, refuses, or cannot be reached.
    """
    reply = transport.at(_address(base_url)).post(ROUTE, _announcement(upload))
    id_, url = _promised(reply, base_url)
    transport.put(url, upload.data, headers=_headers(upload))
    return id_


async def asend_asset(transport: Transport, base_url: str, upload: Upload) -> str:
    """Upload a picture and return the asset's id; see `send_asset`."""
    reply = await transport.at(_address(base_url)).apost(ROUTE, _announcement(upload))
    id_, url = _promised(reply, base_url)
    await transport.aput(url, upload.data, headers=_headers(upload))
    return id_


def _address(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme == "https" and is_nvidia_hosted(base_url):
        return _NVIDIA
    return f"{parts.scheme}://{parts.netloc}/v2/nvcf"


def _announcement(upload: Upload) -> dict[str, str]:
    return {"contentType": upload.mime_type, "description": _DESCRIPTION}


def _headers(upload: Upload) -> dict[str, str]:
    """Return the headers that are part of the signature."""
    return {
        "content-type": upload.mime_type,
        "x-amz-meta-nvcf-asset-description": _DESCRIPTION,
    }


def _promised(reply: Reply, base_url: str) -> tuple[str, str]:
    id_, url = reply.data.get("assetId"), reply.data.get("uploadUrl")
    if isinstance(id_, str) and id_ and isinstance(url, str) and _is_safe(url, base_url):
        return id_, url
    msg = "nvidia answered the announcement of an asset without an id and an https address"
    raise KimiServerError(msg, status=reply.status, endpoint="nvidia")


def _is_safe(url: str, base_url: str) -> bool:
    """Whether bytes may be put there: encrypted, or to the host that gets the requests anyway."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and host == urlsplit(base_url).hostname
