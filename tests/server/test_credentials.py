"""Keys and tokens: what is taken, and that none of them shows."""

import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from langchain_kimi.server.api_keys import ApiKeys, new_key
from langchain_kimi.server.tokens import Tokens
from langchain_kimi.server.users import is_store_label, store_label

SECRET = "s" * 32


def claims(**more: object) -> dict:
    return {"sub": "ann", "exp": int(time.time()) + 60, **more}


def test_a_key_is_found_by_its_hash_and_kept_nowhere(tmp_path: Path) -> None:
    key, digest = new_key()
    file = tmp_path / "keys.json"
    file.write_text(json.dumps([{"identity": "ann", "sha256": digest, "namespaces": ["a", "b"]}]))
    keys = ApiKeys.read(file)
    assert keys.find(key) == {"identity": "ann", "is_authenticated": True, "namespaces": ["a", "b"]}
    assert keys.find(digest) is None
    assert keys.find(key[:-1]) is None
    assert keys.find("\ud800") is None
    assert key not in repr(keys) + file.read_text()


@pytest.mark.parametrize(
    "rows",
    [
        [],
        {},
        ["key"],
        [{"identity": "ann"}],
        [{"identity": "ann", "sha256": "plain"}],
        [{"identity": "", "sha256": "0" * 64}],
        [{"identity": "ann", "sha256": "0" * 64, "namespaces": []}],
    ],
)
def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path, rows: object) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match=r"keys|identity"):
        ApiKeys.read(file)


def test_a_token_names_its_caller_and_namespaces() -> None:
    tokens = Tokens(key=SECRET, audience="kimi", issuer="https://id.example")
    good = claims(aud="kimi", iss="https://id.example", namespaces=["team"])
    assert tokens.read(jwt.encode(good, SECRET))["namespaces"] == ["team"]
    for change in ({"aud": "other"}, {"iss": "other"}, {"exp": 1}, {"namespaces": "team"}):
        assert tokens.read(jwt.encode(good | change, SECRET)) is None
    assert SECRET not in repr(tokens)


def test_a_public_key_checks_and_is_never_a_shared_secret() -> None:
    private = Ed25519PrivateKey.generate()
    public = (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    tokens = Tokens(key=public)
    assert tokens.read(jwt.encode(claims(), private, "EdDSA"))["identity"] == "ann"
    assert tokens.read(jwt.encode(claims(), SECRET, "HS256")) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens(key="short")


def test_labels_of_names_that_begin_alike_do_not() -> None:
    one, other = store_label("ann"), store_label("anna")
    assert is_store_label(one)
    assert not other.startswith(one)
    assert "." not in store_label("ann@example.org")
