"""Who calls, and the names under which a caller's things are kept."""

from __future__ import annotations

import hashlib
from typing import Any, TypedDict

ANONYMOUS = "anonymous"
_LABEL = "user-"
_DIGITS = 32


class User(TypedDict):
    """A caller, in the form that LangGraph Server takes."""

    identity: str
    is_authenticated: bool
    namespaces: list[str]
    """The RAG namespaces that the caller reads; the first is the default."""


def user(identity: str, namespaces: list[str] | None = None) -> User:
    """Return a caller who has proved who it is.

    Args:
        identity: The caller's name.
        namespaces: RAG namespaces; None for one of the caller's own, named after it.

    Raises:
        ValueError: When the name is empty, or a namespace is.
    """
    names = [identity] if namespaces is None else namespaces
    is_list = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not identity or not names or not is_list:
        msg = f"identity={identity!r}, namespaces={names!r}: give a name and a list of names."
        raise ValueError(msg)
    return {"identity": identity, "is_authenticated": True, "namespaces": names}


def anonymous() -> User:
    """Return the caller while no authentication is asked for."""
    return {"identity": ANONYMOUS, "is_authenticated": False, "namespaces": []}


def store_label(identity: str) -> str:
    """Return the first label of every store namespace of a caller.

    A hash, since some stores compare namespaces as prefixes of text, where `ann` would see what is
    `anna`'s, and since labels may not hold periods.
    """
    return _LABEL + hashlib.sha256(identity.encode()).hexdigest()[:_DIGITS]


def is_store_label(label: str) -> bool:
    """Say whether a label is some caller's."""
    digits = label.removeprefix(_LABEL)
    return label.startswith(_LABEL) and len(digits) == _DIGITS


def namespaces_of(caller: Any) -> list[str]:
    """Return the RAG namespaces of a caller as LangGraph Server hands it over."""
    found = getattr(caller, "namespaces", None)
    return list(found) if found else [caller.identity]
