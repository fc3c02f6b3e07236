"""Each caller sees and changes only what is its own; `auth` is named in langgraph.json.

Off until `KIMI_AUTH_KEYS` (a file of hashed keys) or `KIMI_AUTH_JWT_KEY` is set. Callers send
`Authorization: Bearer …`, or an API key as `x-api-key`. Threads, runs, crons and assistants carry
their owner in their metadata and are filtered by it; what a graph's own assistants are is for all.
Store namespaces get the caller's label in front, so that nobody can name what is another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langgraph_sdk import Auth

from langchain_kimi.server.settings import gate, is_guarded
from langchain_kimi.server.users import (
    User,
    anonymous,
    is_store_label,
    namespaces_of,
    store_label,
)

OWNER = "owner"
_MAKER = "created_by"
_WRITES = frozenset({"create", "create_run", "update"})
_READS = frozenset({"read", "search"})

auth = Auth()


@auth.authenticate
async def authenticate(headers: dict[bytes, bytes]) -> User:  # type: ignore[misc, unused-ignore]
    """Find out who calls, or refuse with 401."""
    if not is_guarded():
        return anonymous()
    credential = _credential(headers)
    found = await asyncio.to_thread(lambda: gate().find(credential)) if credential else None
    if found is None:
        raise Auth.exceptions.HTTPException(
            status_code=401, detail="Send a valid key as `Authorization: Bearer KEY`."
        )
    return found


@auth.on
async def authorize(ctx: Auth.types.AuthContext, value: Any) -> dict[str, Any] | None:
    """Stamp what is made with its owner, and filter what is asked for by it."""
    if not is_guarded():
        return None
    if ctx.resource == "store":
        _keep_to_own_items(value, store_label(ctx.user.identity))
        return None
    _check_namespaces(ctx.user, value)
    own = {OWNER: ctx.user.identity}
    if ctx.action in _WRITES:
        _stamp(value, own)
    if ctx.resource == "assistants" and ctx.action in _READS:
        return {"$or": [own, {_MAKER: "system"}]}
    return own


def _credential(headers: Mapping[Any, Any]) -> str:
    """Return the key or token of a request, or an empty text."""
    given = {_text(name).lower(): _text(value) for name, value in headers.items()}
    scheme, _, token = given.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return given.get("x-api-key", "").strip()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _stamp(value: dict[str, Any], own: dict[str, str]) -> None:
    metadata = value.get("metadata")
    if metadata is None:
        metadata = value["metadata"] = {}
    if _MAKER in metadata:
        _refuse(f"metadata.{_MAKER} is the server's to set: leave it out.")
    metadata.update(own)


def _keep_to_own_items(value: dict[str, Any], label: str) -> None:
    """Put the caller's label in front of a store namespace, and refuse another's."""
    namespace = tuple(value.get("namespace") or ())
    if namespace[:1] == (label,):
        return
    if namespace and is_store_label(str(namespace[0])):
        _refuse("The store namespace is another caller's: leave the first label out.")
    value["namespace"] = (label, *namespace)


def _check_namespaces(caller: Any, value: Mapping[str, Any]) -> None:
    """Refuse a RAG namespace that is not the caller's, wherever a request can name one."""
    allowed = {*namespaces_of(caller), "default"}
    sources = [value, value.get("kwargs"), value.get("payload")]
    for source in sources:
        if not isinstance(source, Mapping):
            continue
        config = source.get("config")
        chosen = (source.get("context"), (config or {}).get("configurable"))
        for choice in chosen:
            name = choice.get("namespace") if isinstance(choice, Mapping) else None
            if name is not None and not (isinstance(name, str) and name in allowed):
                _refuse(f"namespace={name!r} is not yours: leave it out for your own.")


def _refuse(detail: str) -> None:
    raise Auth.exceptions.HTTPException(status_code=403, detail=detail)
