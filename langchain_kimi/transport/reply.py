"""JSON on its way out and in: request bodies and replies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic_core import from_json

from langchain_kimi.errors import KimiInvalidInputError

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Reply(NamedTuple):
    """A server's JSON reply.

    Attributes:
        data: The JSON object.
        headers: The reply's headers; names in any case.
        status: The HTTP status.
        request_id: The server's id of the request, or None where it gave none.
    """

    data: dict[str, Any]
    headers: Mapping[str, str] = MappingProxyType({})
    status: int = 200
    request_id: str | None = None


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Encode a request body once, as UTF-8 JSON.

    Raises:
        KimiInvalidInputError: If the body holds what JSON or UTF-8 cannot carry.
    """
    try:
        return _ENCODER.encode(body).encode()
    except UnicodeEncodeError as error:
        around = error.object[max(0, error.start - 20) : error.start]
        msg = (
            f"The request holds the lone surrogate {error.object[error.start]!r} (after"
            f" {around!r}), which is no character and cannot be sent as UTF-8. Clean the text,"
            " for example with text.encode('utf-8', 'replace').decode()."
        )
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"The request cannot be written as JSON: {error}. Pass plain JSON values."
    raise KimiInvalidInputError(msg)


def decode_object(data: bytes | str) -> dict[str, Any] | None:
    """Decode a JSON object; return None for anything else.

    What the fast parser refuses (a lone surrogate, deep nesting, another encoding) the standard
    one reads, or refuses too.
    """
    try:
        value = from_json(data, cache_strings="none")
    except ValueError:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None
