"""Forms carry files; bytes put to a signed address take no secret along."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from langchain_kimi.errors import KimiInvalidInputError, KimiPermissionDeniedError
from langchain_kimi.transport import Timeout, Transport
from langchain_kimi.transport.forms import bare_address, file_form

from .helpers import HEADER_SECRET, KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_kimi.testing import KimiServer

    from .helpers import Bucket

SIGNED = "/b/a%2Fb?X-Credential=A%2F20%3Bhost&X-Signature=abc%2B%3D"


@pytest.fixture
def connect() -> Iterator[Callable[[str], Transport]]:
    made: list[Transport] = []

    def make(url: str) -> Transport:
        made.append(
            Transport(
                base_url=url,
                api_key=SecretStr(KEY),
                endpoint="nvidia",
                headers={"x-api-key": HEADER_SECRET},
                timeout=Timeout(),
                max_retries=0,
                verify_ssl=True,
                polls_202=True,
            )
        )
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def put(transport: Transport, how: str, url: str, data: bytes) -> None:
    headers = {"Content-Type": "image/png"}
    if how == "sync":
        transport.put(url, data, headers=headers)
    else:
        asyncio.run(transport.aput(url, data, headers=headers))


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("size", [3, 1_500_000])
def test_a_signed_address_gets_the_bytes_and_no_secret(
    connect: Callable[[str], Transport], bucket: Bucket, how: str, size: int
) -> None:
    put(connect("http://127.0.0.1:1/v1"), how, bucket.url + SIGNED, b"x" * size)
    (sent,) = bucket.puts
    assert sent.path == SIGNED
    assert sent.data == b"x" * size
    assert sent.headers["content-type"] == "image/png"
    assert sent.headers["content-length"] == str(size)
    assert "authorization" not in sent.headers
    assert not any(secret in str(sent.headers) for secret in (KEY, HEADER_SECRET))


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_refused_put_shows_neither_signature_nor_reply(
    connect: Callable[[str], Transport], bucket: Bucket, how: str
) -> None:
    bucket.status = 403
    with pytest.raises(KimiPermissionDeniedError) as caught:
        put(connect("http://127.0.0.1:1/v1"), how, bucket.url + SIGNED, b"x")
    told = f"{caught.value} {caught.value.body} {caught.value!r}"
    assert caught.value.status == 403
    assert bucket.url in told
    assert "X-Signature" not in told
    assert "SIGNATURE" not in told


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_form_arrives(
    connect: Callable[[str], Transport], serve: Callable[..., KimiServer], how: str
) -> None:
    transport = connect(serve("moonshot").base_url)
    form = file_form({"purpose": "video"}, name='a"\n.mp4', mime_type="video/mp4", data=b"film")
    if how == "sync":
        reply = transport.post_form("/files", form)
    else:
        reply = asyncio.run(transport.apost_form("/files", form))
    assert reply.data["purpose"] == "video"
    assert reply.data["bytes"] == 4
    assert "film" not in repr(form)


def test_a_type_with_a_line_break_is_refused() -> None:
    with pytest.raises(KimiInvalidInputError, match="content-type"):
        file_form({}, name="a", mime_type="video/mp4\r\nX: y", data=b"")


def test_another_address_shares_key_pools_and_no_pickle(
    connect: Callable[[str], Transport], serve: Callable[..., KimiServer]
) -> None:
    server = serve("nvidia", api_key=KEY)
    here = connect("http://127.0.0.1:1/v1")
    there = here.at(server.base_url.removesuffix("/v1") + "/v2/nvcf")
    wanted: dict[str, Any] = {"contentType": "image/png"}
    assert there.post("/assets", wanted).data["contentType"] == "image/png"
    here.close()
    there.post("/assets", wanted)
    assert server.connections == 2
    assert "127.0.0.1:1/" in repr(here)
    assert KEY.encode() not in pickle.dumps(there)


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://h.test/a/b?X-Signature=1#f", "https://h.test/a/b"),
        ("https://u:p@h.test:8443/a", "https://h.test:8443/a"),
    ],
)
def test_bare_addresses(url: str, bare: str) -> None:
    assert bare_address(url) == bare
