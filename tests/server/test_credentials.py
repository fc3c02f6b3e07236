"""Keys and tokens: what is taken, and that none of them shows."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from langchain_kimi.server.api_keys import ApiKeys, new_key
from langchain_kimi.server.app import app, lifespan
from langchain_kimi.server.settings import gate
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
        [{"identity": "ann", "sha256": "z" * 64}],
        [{"identity": "ann", "sha256": "é" * 64}],
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


def pem(private: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


PRIVATE = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_public_key_checks_tokens_of_its_kind_alone(algorithm: str) -> None:
    tokens = Tokens(key=pem(PRIVATE[algorithm]))
    for other, private in PRIVATE.items():
        found = tokens.read(jwt.encode(claims(), private, other))
        assert (found is not None) == (other == algorithm), other
    assert tokens.read(jwt.encode(claims(), SECRET, "HS256")) is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (pem(PRIVATE["RS256"]).replace("\n", r"\n"), "line breaks"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no PEM of a public key"),
        (pem(X25519PrivateKey.generate()), "does not sign tokens"),
    ],
)
def test_a_key_that_checks_nothing_is_refused(key: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        Tokens(key=key)
    assert key not in str(refused.value)


@pytest.mark.parametrize("name", ["KIMI_AUTH_KEYS", "KIMI_AUTH_JWT_KEY"])
async def test_a_server_does_not_start_with_what_it_cannot_check(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in ("KIMI_AUTH_KEYS", "KIMI_AUTH_JWT_KEY"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "short")
    gate.cache_clear()
    with pytest.raises(ValueError, match=name):
        async with lifespan(app):
            pass


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens(key="short")


def test_labels_of_names_that_begin_alike_do_not() -> None:
    one, other = store_label("ann"), store_label("anna")
    assert is_store_label(one)
    assert not other.startswith(one)
    assert "." not in store_label("ann@example.org")
