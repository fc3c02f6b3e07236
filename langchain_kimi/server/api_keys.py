"""API keys, of which the server keeps hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_kimi.server.users import User, user

_PREFIX = "lck_"
_BYTES = 32
_DIGEST = re.compile("[0-9a-fA-F]{64}")


def new_key() -> tuple[str, str]:
    """Return a new key and the hash to write into the file of keys.

    A key has 256 random bits, so one round of SHA-256 is enough: there is nothing to guess.
    """
    key = _PREFIX + secrets.token_urlsafe(_BYTES)
    return key, _digest(key)


@dataclass(frozen=True)
class ApiKeys:
    """The hashes of keys, each with its caller."""

    users: tuple[tuple[str, User], ...]

    @classmethod
    def read(cls, path: str | Path) -> ApiKeys:
        """Read a file of keys: a JSON list of `{"identity", "sha256", "namespaces"}`.

        Raises:
            ValueError: When the file does not hold that.
            OSError: When it cannot be read.
        """
        rows = json.loads(Path(path).read_text())
        if not isinstance(rows, list) or not rows:
            msg = f"{path} holds no keys: give a list of objects with identity and sha256."
            raise ValueError(msg)
        return cls(tuple(_row(row, number) for number, row in enumerate(rows)))

    def find(self, key: str) -> User | None:
        """Return the caller whose key it is; every hash is compared, in constant time."""
        digest = _digest(key)
        found = None
        for known, caller in self.users:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def _row(row: Any, number: int) -> tuple[str, User]:
    digest = row.get("sha256") if isinstance(row, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        msg = f"keys[{number}] has no sha256 of 64 hexadecimal digits: make one with new_key()."
        raise ValueError(msg)
    return digest.lower(), user(str(row.get("identity") or ""), row.get("namespaces"))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


if __name__ == "__main__":
    made, hashed = new_key()
    print(json.dumps({"key": made, "sha256": hashed}))
