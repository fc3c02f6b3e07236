"""JSON Web Tokens, signed elsewhere and checked here."""

from __future__ import annotations

from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from langchain_kimi.server.users import User, user

_SECRET = ["HS256", "HS384", "HS512"]
_PUBLIC: tuple[tuple[type[Any], list[str]], ...] = (
    (RSAPublicKey, ["RS256"]),
    (EllipticCurvePublicKey, ["ES256"]),
    (Ed25519PublicKey, ["EdDSA"]),
)


class Tokens:
    """How tokens are checked: by which key, and so by which algorithms.

    Args:
        key: A shared secret of 32 bytes or more, or a public key in PEM.
        audience: What `aud` must hold; None when tokens have none.
        issuer: What `iss` must be; None for any.

    Raises:
        ValueError: When the secret is short, or the PEM holds no public key of a known kind.
    """

    def __init__(self, *, key: str, audience: str | None = None, issuer: str | None = None) -> None:
        self._key, self._algorithms = _loaded(key)
        self._audience = audience
        self._issuer = issuer

    def read(self, token: str) -> User | None:
        """Return the caller that a token names, or None when it does not hold.

        A token has `sub` and `exp`; `namespaces` is a list of RAG namespaces. Which algorithms
        count follows from the key, never from the token.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=self._algorithms,
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "sub"]},
            )
            return user(claims["sub"], claims.get("namespaces"))
        except (jwt.PyJWTError, ValueError, TypeError):
            return None


def _loaded(key: str) -> tuple[Any, list[str]]:
    """Return the key, and the algorithms that are meant for it."""
    if not key.lstrip().startswith("-----BEGIN"):
        if len(key.encode()) < 32:
            msg = "The key of the tokens is shorter than 32 bytes: give a longer secret or a PEM."
            raise ValueError(msg)
        return key, _SECRET
    try:
        public = load_pem_public_key(key.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = (
            "The key of the tokens is no PEM of a public key; its line breaks must be real ones, "
            r"not \n."
        )
        raise ValueError(msg) from error
    for kind, algorithms in _PUBLIC:
        if isinstance(public, kind):
            return public, algorithms
    msg = f"A {type(public).__name__} does not sign tokens: give one of RSA, EC or Ed25519."
    raise ValueError(msg)
