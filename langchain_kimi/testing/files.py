"""The routes that take uploads: Moonshot's files and NVIDIA's assets."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from aiohttp import BodyPartReader, web

from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.director import Director
from langchain_kimi.testing.record import Exchange
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.responses import Route
from langchain_kimi.testing.uploads import Upload, Uploads

PURPOSES = ("file-extract", "image", "video", "batch")


class FileRoutes:
    """Answers uploads; which routes there are depends on the dialect."""

    def __init__(self, dialect: Dialect, director: Director, uploads: Uploads) -> None:
        self._dialect = dialect
        self._director = director
        self._uploads = uploads

    def table(self) -> list[Route]:
        """List the routes that this dialect has."""
        if self._dialect.name == "moonshot":
            return [
                ("POST", "/v1/files", self.upload),
                ("GET", "/v1/files", self.listing),
                ("GET", "/v1/files/{id}", self.describe),
                ("DELETE", "/v1/files/{id}", self.delete),
            ]
        if self._dialect.name == "nvidia":
            return [
                ("POST", "/v2/nvcf/assets", self.announce),
                ("DELETE", "/v2/nvcf/assets/{id}", self.delete),
            ]
        return []

    def signed(self) -> list[Route]:
        """List the routes that take no key: their address is signed."""
        if self._dialect.name == "nvidia":
            return [("PUT", "/v2/nvcf/assets/{id}/content", self.fill)]
        return []

    async def upload(self, http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """Take a file as a multipart form."""
        fields = await _form(http)
        purpose = fields.get("purpose", (None, b""))[1].decode()
        if purpose not in PURPOSES:
            raise Refusal(400, f"invalid purpose: {purpose!r}, one of {', '.join(PURPOSES)}")
        if "file" not in fields:
            raise Refusal(400, "file is required")
        name, data = fields["file"]
        upload = Upload(self._new_id(), name or "file", purpose, self._director.now(), data)
        self._uploads.put(upload)
        return web.json_response(_described(upload))

    async def listing(self, _http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """List the files."""
        return web.json_response({"object": "list", "data": [_described(u) for u in self._uploads]})

    async def describe(self, http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """Describe one file."""
        return web.json_response(_described(self._find(http)))

    async def delete(self, http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """Delete a file or an asset."""
        upload = self._find(http)
        self._uploads.remove(upload.id)
        if self._dialect.name == "nvidia":
            return web.Response(status=204)
        return web.json_response({"id": upload.id, "object": "file", "deleted": True})

    async def announce(self, http: web.Request, exchange: Exchange) -> web.StreamResponse:
        """Give an id and a URL to which an asset's bytes are to be put."""
        wanted = exchange.body if isinstance(exchange.body, dict) else {}
        if not wanted.get("contentType"):
            raise Refusal(400, "contentType is required")
        signed = {
            "Content-Type": str(wanted["contentType"]),
            "x-amz-meta-nvcf-asset-description": str(wanted.get("description", "")),
        }
        upload = Upload(self._new_id(), "asset", "asset", self._director.now(), None, signed)
        self._uploads.put(upload)
        url = http.url.with_path(f"/v2/nvcf/assets/{upload.id}/content")
        answer = {
            "assetId": upload.id,
            "uploadUrl": str(url),
            "contentType": wanted["contentType"],
            "description": wanted.get("description", ""),
        }
        return web.json_response(answer)

    async def fill(self, http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """Take the bytes of an asset, as a store with signed addresses does.

        A key beside the signature is a second way to authorize, which such a store refuses; and
        the headers that were signed have to come as they were announced.
        """
        upload = self._find(http)
        if "Authorization" in http.headers:
            raise Refusal(400, "Only one auth mechanism allowed: the address is signed")
        wrong = [name for name, value in upload.signed.items() if http.headers.get(name) != value]
        if wrong:
            raise Refusal(403, f"SignatureDoesNotMatch: {', '.join(wrong)}")
        upload.data = await http.read()
        return web.Response()

    def _find(self, http: web.Request) -> Upload:
        id_ = http.match_info["id"]
        found = self._uploads.get(id_)
        if found is None:
            raise Refusal(404, f"file {id_} is not found")
        return found

    def _new_id(self) -> str:
        made = self._director.new_id()
        return made[:20] if self._dialect.name == "moonshot" else _as_uuid(made)


def _as_uuid(hexadecimal: str) -> str:
    ends = (0, 8, 12, 16, 20, 32)
    return "-".join(hexadecimal[a:b] for a, b in pairwise(ends))


def _described(upload: Upload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "object": "file",
        "bytes": len(upload.data or b""),
        "created_at": upload.created,
        "filename": upload.name,
        "purpose": upload.purpose,
        "status": "ok",
        "status_details": "",
    }


async def _form(http: web.Request) -> dict[str, tuple[str | None, bytes]]:
    """Read a multipart form: file name and bytes of each field."""
    if not http.content_type.startswith("multipart/"):
        raise Refusal(400, "the upload must be multipart/form-data")
    fields: dict[str, tuple[str | None, bytes]] = {}
    async for part in await http.multipart():
        if isinstance(part, BodyPartReader) and part.name:
            fields[part.name] = (part.filename, bytes(await part.read()))
    return fields
