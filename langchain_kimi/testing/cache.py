"""Prefix caching: how much of a prompt was seen before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.tokens import prompt_tokens


class PrefixCache:
    """Remembers, as hashes, the prompts that were sent; used from the server's loop only."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def cached_tokens(self, request: ChatRequest) -> int:
        """Count the tokens of the longest known prefix, then remember the whole prompt."""
        digests = list(_digests(request))
        known = 0
        for number, digest in enumerate(digests, 1):
            if digest in self._seen:
                known = number
        self._seen.update(digests)
        if not known:
            return 0
        return prompt_tokens({"messages": request.messages[:known], "tools": request.tools})


def _digests(request: ChatRequest) -> Iterator[bytes]:
    """Yield one hash for each prefix of the messages; tools come before all of them."""
    running = hashlib.sha256(_bytes([request.model, request.tools]))
    for message in request.messages:
        running.update(_bytes(message))
        yield running.digest()


def _bytes(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
