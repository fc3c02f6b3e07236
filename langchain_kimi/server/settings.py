"""What the environment asks of the server's authentication."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

from langchain_kimi.server.api_keys import ApiKeys
from langchain_kimi.server.users import User

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
    key: str | None
    audience: str | None
    issuer: str | None

    def find(self, credential: str) -> User | None:
        """Return the caller, or None."""
        found = self.keys.find(credential) if self.keys else None
        if found is None and self.key is not None:
            from langchain_kimi.server.tokens import Tokens  # noqa: PLC0415 - needs PyJWT

            tokens = Tokens(key=self.key, audience=self.audience, issuer=self.issuer)
            found = tokens.read(credential)
        return found


@lru_cache(maxsize=1)
def gate() -> Gate:
    """Return the gate that the environment names; the file of keys is read once."""
    path = os.environ.get(KEYS)
    return Gate(
        ApiKeys.read(path) if path else None,
        os.environ.get(JWT_KEY) or None,
        os.environ.get(JWT_AUDIENCE) or None,
        os.environ.get(JWT_ISSUER) or None,
    )
