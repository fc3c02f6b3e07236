"""JSON Web Tokens, signed elsewhere and checked here."""

from __future__ import annotations

from dataclasses import dataclass, field

import jwt

from langchain_kimi.server.users import User, user

_FAMILIES = {"HS": ["HS256", "HS384", "HS512"], "PEM": ["RS256", "ES256", "EdDSA"]}


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """How tokens are checked.

    Attributes:
        key: A shared secret of 32 bytes or more, or a public key in PEM.
        audience: What `aud` must hold; None when tokens have none.
        issuer: What `iss` must be; None for any.
    """

    key: str = field(repr=False)
    audience: str | None = None
    issuer: str | None = None

    def __post_init__(self) -> None:
        """Refuse a secret that could be guessed."""
        if not self._is_pem and len(self.key.encode()) < 32:
            msg = "The key of the tokens is shorter than 32 bytes: give a longer secret or a PEM."
            raise ValueError(msg)

    def read(self, token: str) -> User | None:
        """Return the caller that a token names, or None when it does not hold.

        A token has `sub` and `exp`; `namespaces` is a list of RAG namespaces. Which algorithms
        count follows from the key, never from the token.
        """
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=_FAMILIES["PEM" if self._is_pem else "HS"],
                audience=self.audience,
                issuer=self.issuer,
                options={"require": ["exp", "sub"]},
            )
            return user(claims["sub"], claims.get("namespaces"))
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None

    @property
    def _is_pem(self) -> bool:
        return self.key.lstrip().startswith("-----BEGIN")
