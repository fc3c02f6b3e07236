"""Large pictures go to NVIDIA as assets, once, and no secret goes along with their bytes."""

from __future__ import annotations

import asyncio
import copy
import logging
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from langchain_core.messages import HumanMessage

from langchain_kimi.delivery import assets
from langchain_kimi.delivery.conversation import deliver
from langchain_kimi.delivery.uploads import Upload
from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiBadRequestError, KimiServerError
from langchain_kimi.testing import error, say
from langchain_kimi.testing.files import FileRoutes
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.uploads import Upload as Stored
from langchain_kimi.transport.reply import Reply

from .helpers import (
    CALLS,
    HEADER_SECRET,
    KEY,
    ask,
    film,
    film_block,
    model,
    noisy,
    paths,
    picture_block,
    png,
    sent_bytes,
    text,
    text64,
    urls,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi.testing import KimiServer

    from .helpers import Bucket

ANNOUNCE = "/v2/nvcf/assets"
LARGE = noisy(500, 500)


def asked(*blocks: dict[str, Any]) -> list[Any]:
    return [HumanMessage([*copy.deepcopy(blocks), text("What?")])]


def large() -> dict[str, Any]:
    return picture_block(LARGE, "image/jpeg")


@pytest.mark.parametrize("how", CALLS)
async def test_a_large_picture_goes_up_once_and_is_named(
    serve: Callable[..., KimiServer], how: str
) -> None:
    server = serve("nvidia")
    llm = model(server, default_headers={"x-api-key": HEADER_SECRET})
    for _ in range(3):
        assert await ask(llm, asked(large(), picture_block(png())), how)
    announced = [each for each in server.exchanges if each.path == ANNOUNCE]
    (put,) = [each for each in server.exchanges if each.method == "PUT"]
    assert len(announced) == 1
    assert announced[0].body["contentType"] == put.headers["content-type"] == "image/jpeg"
    assert announced[0].headers["authorization"] == "(hidden)"
    assert put.body == LARGE
    assert put.headers["x-amz-meta-nvcf-asset-description"] == announced[0].body["description"]
    assert not {"authorization", "x-api-key"} & set(put.headers)
    id_ = put.path.split("/")[-2]
    for body in server.requests:
        assert urls(body)[0] == f"data:image/jpeg;asset_id,{id_}"
        assert sent_bytes(urls(body)[1]) == png()
    chats = [each for each in server.exchanges if each.path == "/v1/chat/completions"]
    assert [each.headers["nvcf-input-asset-references"] for each in chats] == [id_] * 3


@pytest.mark.parametrize("how", CALLS)
async def test_the_bucket_on_another_port_gets_bytes_and_no_secret(
    serve: Callable[..., KimiServer], bucket: Bucket, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async def announce(self: FileRoutes, *_: Any) -> Any:
        self._uploads.put(Stored("abc-1", "asset", "asset", 0, b"filled by the bucket"))
        signed = f"{bucket.url}/b?X-Signature=a%2Fb%3B"
        return web.json_response({"assetId": "abc-1", "uploadUrl": signed})

    monkeypatch.setattr(FileRoutes, "announce", announce)
    server = serve("nvidia", api_key=KEY)
    llm = model(server, default_headers={"x-api-key": HEADER_SECRET})
    assert await ask(llm, asked(large()), how)
    (put,) = bucket.puts
    assert put.path == "/b?X-Signature=a%2Fb%3B"
    assert put.data == LARGE
    assert not any(secret in str(put.headers) for secret in (KEY, HEADER_SECRET))
    assert urls(server.requests[0]) == ["data:image/jpeg;asset_id,abc-1"]


@pytest.mark.parametrize("endpoint", ["vllm", "sglang", "moonshot"])
async def test_other_endpoints_get_large_pictures_inline(
    serve: Callable[..., KimiServer], endpoint: str
) -> None:
    server = serve(endpoint)
    await ask(model(server), asked(large()), "invoke")
    assert paths(server, "POST") == ["/v1/chat/completions"]
    assert sent_bytes(urls(server.requests[0])[0]) == LARGE


async def test_the_threshold(serve: Callable[..., KimiServer]) -> None:
    server = serve("nvidia")
    llm = model(server)
    just = next(
        data
        for width in range(330, 200, -2)
        if len(text64(data := noisy(width, 300))) <= assets.INLINE_CHARACTERS
    )
    await ask(llm, asked(picture_block(just, "image/jpeg")), "invoke")
    assert ANNOUNCE not in paths(server, "POST")
    assert len(text64(LARGE)) > assets.INLINE_CHARACTERS


@pytest.mark.parametrize("how", CALLS)
async def test_where_there_is_no_asset_route_pictures_go_inline(
    serve: Callable[..., KimiServer], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    # a gateway that speaks as NVIDIA does, without its assets
    server = serve("vllm", models=["moonshotai/kimi-k2.6"])
    llm = model(server, endpoint="nvidia")
    with caplog.at_level(logging.DEBUG, logger="langchain_kimi.delivery"):
        for _ in range(2):
            await ask(llm, asked(large()), how)
    assert paths(server, "POST").count(ANNOUNCE) == 1
    assert [sent_bytes(urls(body)[0]) == LARGE for body in server.requests] == [True, True]
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "goes inline" in record.getMessage()
    assert KEY not in caplog.text


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize(("status", "announced"), [(403, 1), (503, 2)])
async def test_only_a_lasting_refusal_is_remembered(
    serve: Callable[..., KimiServer],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    announced: int,
    how: str,
) -> None:
    async def refuse(*_: Any) -> Any:
        raise Refusal(status, "no")

    monkeypatch.setattr(FileRoutes, "announce", refuse)
    server = serve("nvidia")
    llm = model(server)
    for _ in range(2):
        await ask(llm, asked(large()), how)
    assert paths(server, "POST").count(ANNOUNCE) == announced
    assert [sent_bytes(urls(body)[0]) == LARGE for body in server.requests] == [True, True]


@pytest.mark.parametrize("how", CALLS)
async def test_a_bucket_that_refuses_leaves_the_picture_inline(
    serve: Callable[..., KimiServer],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    async def announce(*_: Any) -> Any:
        signed = f"{bucket.url}/b?X-Signature=secret"
        return web.json_response({"assetId": "abc-1", "uploadUrl": signed})

    monkeypatch.setattr(FileRoutes, "announce", announce)
    bucket.status = 403
    server = serve("nvidia")
    with caplog.at_level(logging.DEBUG, logger="langchain_kimi"):
        await ask(model(server), asked(large()), how)
    assert sent_bytes(urls(server.requests[0])[0]) == LARGE
    assert "X-Signature" not in caplog.text
    assert "SIGNATURE" not in caplog.text


async def test_a_server_that_finds_it_too_large_inline_says_so(
    serve: Callable[..., KimiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_kimi.errors import KimiRequestTooLargeError

    async def refuse(*_: Any) -> Any:
        raise Refusal(403, "no")

    monkeypatch.setattr(FileRoutes, "announce", refuse)
    server = serve("nvidia")
    server.script(error(413), say("never"))
    with pytest.raises(KimiRequestTooLargeError):
        await ask(model(server), asked(large()), "invoke")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"assetId": "1"},
        {"assetId": "1", "uploadUrl": "http://elsewhere.test/b"},
        {"assetId": "1", "uploadUrl": "file:///etc/passwd"},
        {"assetId": "1", "uploadUrl": "https://"},
        {"assetId": "1", "uploadUrl": "http://[broken"},
        {"assetId": 1, "uploadUrl": "https://bucket.test/b"},
    ],
)
def test_an_address_that_is_not_safe_is_not_used(answer: dict[str, Any]) -> None:
    with pytest.raises(KimiServerError, match="without an id and an https address"):
        assets._promised(Reply(answer), "https://integrate.api.nvidia.com/v1")


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://integrate.api.nvidia.com/v1", "https://api.nvcf.nvidia.com/v2/nvcf"),
        ("https://ai.api.nvidia.com/v1", "https://api.nvcf.nvidia.com/v2/nvcf"),
        ("http://integrate.api.nvidia.com/v1", "http://integrate.api.nvidia.com/v2/nvcf"),
        ("https://gateway.test:8443/nim/v1", "https://gateway.test:8443/v2/nvcf"),
        ("https://integrate.api.nvidia.com.evil.test/v1", "https://integrate.api.nvidia.com.evil.test/v2/nvcf"),
    ],
)  # fmt: skip
def test_the_key_goes_to_nvidia_or_the_base_url(base_url: str, address: str) -> None:
    assert assets._address(base_url) == address


async def test_an_old_asset_goes_up_again(
    serve: Callable[..., KimiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "LIFETIME", -1.0)
    server = serve("nvidia")
    llm = model(server)
    for how in ("invoke", "ainvoke"):
        await ask(llm, asked(large()), how)
    assert paths(server, "POST").count(ANNOUNCE) == 2


@pytest.mark.parametrize("how", CALLS)
async def test_assets_that_the_server_has_lost_go_up_again(
    serve: Callable[..., KimiServer], caplog: pytest.LogCaptureFixture, how: str
) -> None:
    llm = model(serve("nvidia"))
    question = asked(large(), picture_block(noisy(500, 510), "image/jpeg"))
    await ask(llm, question, how)
    forgetful = serve("nvidia")
    llm.base_url = forgetful.base_url  # as if it were the same one, and had been emptied

    answers = await asyncio.gather(*(ask(llm, question, how) for _ in range(3)))

    assert all(answers)
    assert paths(forgetful, "POST").count(ANNOUNCE) == 2
    assert "has lost an upload" in caplog.text


async def test_a_refusal_that_names_no_upload_is_no_lost_upload(
    serve: Callable[..., KimiServer],
) -> None:
    server = serve("nvidia")
    llm = model(server)
    await ask(llm, asked(large()), "invoke")
    server.script(error(400, "Asset 'another' not found"))
    with pytest.raises(KimiBadRequestError, match="another"):
        await ask(llm, asked(large()), "invoke")
    assert paths(server, "POST").count(ANNOUNCE) == 1


async def test_large_frames_of_a_film_go_up_too(
    serve: Callable[..., KimiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "INLINE_CHARACTERS", 100)
    server = serve("nvidia")
    llm = model(server)
    for how in ("invoke", "astream"):
        await ask(llm, asked(film_block(film())), how)
    chat = server.exchanges[-1]
    named = [url.partition(";asset_id,")[2] for url in urls(chat.body)]
    assert len(set(named)) == 4
    assert chat.headers["nvcf-input-asset-references"] == ",".join(named)
    assert paths(server, "POST").count(ANNOUNCE) == 4


async def test_many_calls_at_once_upload_once(serve: Callable[..., KimiServer]) -> None:
    server = serve("nvidia")
    llm = model(server)
    await asyncio.gather(*(ask(llm, asked(large()), "astream") for _ in range(6)))
    assert paths(server, "POST").count(ANNOUNCE) == 1


def test_counting_tokens_uploads_nothing(serve: Callable[..., KimiServer]) -> None:
    server = serve("nvidia")
    llm = model(server)
    assert llm.get_num_tokens_from_messages(asked(large())) > 300
    assert server.exchanges == []
    assert deliver(messages := asked(large()), ENDPOINTS["nvidia"]) is messages


def test_an_upload_does_not_show_its_bytes() -> None:
    upload = Upload(kind="image", mime_type="image/png", text=text64(png()))
    assert text64(png()) not in repr(upload)
