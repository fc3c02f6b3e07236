"""A request that is too large with all its pictures goes out once more with the newest."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from langchain_kimi import ChatKimi
from langchain_kimi.errors import KimiRequestTooLargeError
from langchain_kimi.testing import KimiServer, error, say

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[KimiServer]:
    with KimiServer(dialect="nvidia") as server:
        yield server


def picture(color: str) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), color).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image", "base64": data, "mime_type": "image/png"}


def model(server: KimiServer) -> ChatKimi:
    return ChatKimi(base_url=server.base_url, api_key="key", endpoint="nvidia")


def conversation(*colors: str) -> list[Any]:
    return [("user", [*(picture(color) for color in colors), {"type": "text", "text": "What?"}])]


async def ask(llm: ChatKimi, given: list[Any], how: str) -> str:
    if how == "invoke":
        return llm.invoke(given).text
    if how == "ainvoke":
        return (await llm.ainvoke(given)).text
    if how == "stream":
        return "".join(chunk.text for chunk in llm.stream(given))
    return "".join([chunk.text async for chunk in llm.astream(given)])


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
async def test_older_pictures_are_told_and_the_newest_two_are_kept(
    server: KimiServer, how: str
) -> None:
    server.script(error(413), say("Blue."))
    assert await ask(model(server), conversation("red", "green", "blue"), how) == "Blue."
    first, second = server.requests
    assert [part["type"] for part in first["messages"][0]["content"]] == [
        "image_url",
        "image_url",
        "image_url",
        "text",
    ]
    kept = second["messages"][0]["content"]
    assert kept[0] == {"type": "text", "text": "[left out for size: image image/png]"}
    assert kept[1:] == first["messages"][0]["content"][1:]


@pytest.mark.parametrize("how", ["invoke", "stream"])
async def test_nothing_to_leave_out_is_the_servers_error(server: KimiServer, how: str) -> None:
    server.script(error(413), say("never"))
    with pytest.raises(KimiRequestTooLargeError):
        await ask(model(server), conversation("red", "green"), how)
    assert len(server.requests) == 1


async def test_one_retry_and_no_more(server: KimiServer) -> None:
    server.script(error(413), error(413), say("never"))
    with pytest.raises(KimiRequestTooLargeError):
        await ask(model(server), conversation("red", "green", "blue"), "invoke")
    assert len(server.requests) == 2
