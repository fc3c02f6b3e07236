"""Uploads: files in multipart forms, and bytes that are put to an address of another host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from urllib3.filepost import encode_multipart_formdata

from langchain_kimi._version import __version__
from langchain_kimi.transport.server import Headers, check_headers, sealed

__all__ = ["Form", "bare_address", "file_form", "foreign_headers"]


@dataclass(frozen=True)
class Form:
    """A multipart form, encoded."""

    body: bytes = field(repr=False)
    content_type: str


def file_form(fields: Mapping[str, str], *, name: str, mime_type: str, data: bytes) -> Form:
    """Encode a form with text fields and one file, in the field `file`.

    Args:
        fields: The text fields.
        name: The file's name; quotes and line breaks in it are escaped.
        mime_type: The file's type.
        data: The file's bytes.
    """
    check_headers({"content-type": mime_type})
    body, content_type = encode_multipart_formdata(
        [*fields.items(), ("file", (name, data, mime_type))]
    )
    return Form(body, content_type)


def foreign_headers(headers: Mapping[str, str]) -> Headers:
    """Return the headers of a request to a host that is not the API's: no key, none of its headers.

    Args:
        headers: What the request itself needs.
    """
    check_headers(headers)
    standard = {
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": f"langchain-kimi/{__version__}",
    }
    return sealed(standard, headers)


def bare_address(url: str) -> str:
    """Return a URL without its query and fragment, where a signed one has its signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
