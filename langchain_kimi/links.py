"""The connections of a model and its copies, and what was learned over them."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from langchain_kimi.delivery.uploads import Uploads
from langchain_kimi.endpoints import resolve_endpoint
from langchain_kimi.errors import KimiAuthenticationError
from langchain_kimi.options import as_timeout
from langchain_kimi.transport import Transport

if TYPE_CHECKING:
    from langchain_kimi.chat_models import ChatKimi

__all__ = ["Link", "Links", "key_of"]

KEPT = 16
"""Transports that a model and its copies keep; one that is dropped closes after its last call."""


@dataclass(slots=True, eq=False)
class Link:
    """A transport, and what was learned of the server over it."""

    transport: Transport
    unparsed_thinking: bool = False
    """Whether thoughts came as content, for want of a reasoning parser."""
    has_no_tokenizer: bool = False
    """Whether the route that counts tokens is missing, or silent."""


class Links:
    """The links of a model and of its copies, by the settings that they were made of.

    Copies share it, so that a run with another temperature uses the connections that are there; a
    copy with another address, key or setting of the connection gets its own. Deep copies and
    pickles start empty. Plain secrets are in no key.

    Attributes:
        uploads: The ids of media that the servers know.
    """

    def __init__(self) -> None:
        self.uploads = Uploads()
        self._held: dict[tuple[Any, ...], Link] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Links], tuple[()]]:
        return type(self), ()

    def to(self, llm: ChatKimi) -> Link:
        """Return the link that a model's settings ask for, made on first use.

        Raises:
            KimiAuthenticationError: A public host needs a key, and there is none.
            KimiInvalidInputError: The key or a header cannot be sent.
        """
        settings = _settings(llm)
        link = self._held.get(settings)
        if link is not None:
            return link
        with self._lock:
            if settings not in self._held:
                self._held[settings] = Link(_connect(llm))
            if len(self._held) > KEPT:
                del self._held[next(iter(self._held))]
            return self._held[settings]

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        for link in self._all():
            link.transport.close()

    async def aclose(self) -> None:
        """Close all connections; the next call opens new ones."""
        for link in self._all():
            await link.transport.aclose()

    def _all(self) -> list[Link]:
        with self._lock:
            return list(self._held.values())


def key_of(llm: ChatKimi) -> SecretStr:
    """Return the key that a model sends: its own, else the environment's; empty sends none."""
    key: Any = llm.api_key
    if key is not None:  # an assigned one is not validated
        return key if isinstance(key, SecretStr) else SecretStr(key)
    return SecretStr(os.environ.get(llm.quirks.api_key_env, ""))


def _settings(llm: ChatKimi) -> tuple[Any, ...]:
    return (
        llm.base_url,
        llm.endpoint,
        llm.api_key and key_of(llm),
        llm.timeout,
        llm.max_retries,
        llm.verify_ssl,
        _told_elsewhere(llm),
    )


def _told_elsewhere(llm: ChatKimi) -> int | None:
    """Fingerprint the settings that change without notice: the environment and the headers."""
    if llm.api_key is not None and not llm.default_headers:
        return None
    return hash((key_of(llm), *llm.default_headers.items()))


def _connect(llm: ChatKimi) -> Transport:
    key, row = key_of(llm), llm.quirks
    _, base_url = resolve_endpoint(llm.endpoint, llm.base_url)
    if not key.get_secret_value() and base_url == row.default_base_url:
        msg = (
            f"there is no API key for {base_url}: set {row.api_key_env} or pass api_key=; a vLLM "
            "or NIM of your own (base_url=) needs none, and langchain_kimi.testing.KimiServer "
            "stands in without any"
        )
        raise KimiAuthenticationError(msg, endpoint=row.name)
    return Transport(
        base_url=base_url,
        api_key=key if key.get_secret_value() else None,
        endpoint=row.name,
        headers=llm.default_headers,
        timeout=as_timeout(llm.timeout),
        max_retries=llm.max_retries,
        verify_ssl=llm.verify_ssl,
        polls_202=row.polls_202,
    )
