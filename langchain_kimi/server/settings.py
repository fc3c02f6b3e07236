"""What the environment asks of the server's authentication."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from langchain_kimi.server.api_keys import ApiKeys
from langchain_kimi.server.users import User

if TYPE_CHECKING:
    from langchain_kimi.server.tokens import Tokens

KEYS = "KIMI_AUTH_KEYS"
JWT_KEY = "KIMI_AUTH_JWT_KEY"
JWT_AUDIENCE = "KIMI_AUTH_JWT_AUDIENCE"
JWT_ISSUER = "KIMI_AUTH_JWT_ISSUER"


def is_guarded() -> bool:
    """Say whether callers must prove who they are: a file of keys or a key for tokens is named."""
    return bool(os.environ.get(KEYS) or os.environ.get(JWT_KEY))


@dataclass(frozen=True)
class Gate:
    """Finds the caller of a credential."""

    keys: ApiKeys | None
    tokens: Tokens | None

    def find(self, credential: str) -> User | None:
        """Return the caller, or None."""
        found = self.keys.find(credential) if self.keys else None
        if found is None and self.tokens is not None:
            found = self.tokens.read(credential)
        return found


@lru_cache(maxsize=1)
def gate() -> Gate:
    """Return the gate that the environment names; the file of keys is read once.

    Raises:
        ValueError: When what the environment names cannot be used; the text names the variable.
    """
    path, key = os.environ.get(KEYS), os.environ.get(JWT_KEY)
    with _named(KEYS):
        keys = ApiKeys.read(path) if path else None
    with _named(JWT_KEY):
        tokens = _tokens(key) if key else None
    return Gate(keys, tokens)


def _tokens(key: str) -> Tokens:
    from langchain_kimi.server.tokens import Tokens  # noqa: PLC0415 - needs PyJWT

    audience, issuer = os.environ.get(JWT_AUDIENCE), os.environ.get(JWT_ISSUER)
    return Tokens(key=key, audience=audience or None, issuer=issuer or None)


@contextmanager
def _named(variable: str) -> Iterator[None]:
    """Let an error name the variable that it comes from."""
    try:
        yield
    except (OSError, ValueError) as error:
        msg = f"{variable}: {error}"
        raise ValueError(msg) from error
