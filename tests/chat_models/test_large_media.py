"""A request that is too large with all its pictures goes out once more with the newest."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from PIL import Image

from langchain_kimi import ChatKimi
from langchain_kimi.errors import KimiRequestTooLargeError
from langchain_kimi.testing import KimiServer, error, say

if TYPE_CHECKING:
    from collections.abc import Iterator

HOW = ["invoke", "ainvoke", "stream", "astream"]


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


@pytest.mark.parametrize("how", HOW)
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
    assert kept[0] == {"type": "text", "text": "[image (image/png, 32x32): left out to save space]"}
    assert kept[1:] == first["messages"][0]["content"][1:]


@pytest.mark.parametrize("how", ["invoke", "stream"])
async def test_nothing_to_leave_out_is_the_servers_error(server: KimiServer, how: str) -> None:
    server.script(error(413), say("never"))
    with pytest.raises(KimiRequestTooLargeError):
        await ask(model(server), conversation("red", "green"), how)
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", HOW)
async def test_one_retry_and_no_more(server: KimiServer, how: str) -> None:
    server.script(error(413), error(413), say("never"))
    with pytest.raises(KimiRequestTooLargeError):
        await ask(model(server), conversation("red", "green", "blue"), how)
    assert len(server.requests) == 2


OVERFLOW = error(
    400, "This model's maximum context length is 262144 tokens. However, you requested 300000."
)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("dialect", ["nvidia", "vllm", "sglang", "moonshot"])
async def test_an_overflow_keeps_what_is_pinned_and_the_order(dialect: Any, how: str) -> None:
    pinned = {**picture("red"), "extras": {"pinned": True, "name": "plan"}}
    calls = [{"name": "look", "args": {}, "id": "functions.look:0"}]
    given = [
        HumanMessage([pinned, picture("green"), {"type": "text", "text": "Look."}]),
        AIMessage("", tool_calls=calls, additional_kwargs={"reasoning_content": "I look."}),
        ToolMessage(
            [picture("blue"), {"type": "text", "text": "seen"}, picture("white")],
            tool_call_id="functions.look:0",
        ),
    ]
    with KimiServer(dialect) as server:
        llm = ChatKimi(base_url=server.base_url, api_key="k", endpoint=dialect, max_retries=0)
        server.script(OVERFLOW, say("Done."))

        assert await ask(llm, given, how) == "Done."

        first, second = server.requests
    assert len(pictures(first)) == 4
    assert pictures(second) == [pictures(first)[0], *pictures(first)[2:]]
    assert [message["role"] for message in first["messages"]] == [
        message["role"] for message in second["messages"]
    ]
    assert "left out to save space" in str(second["messages"][0]["content"])
    assert any("I look." in str(message) for message in second["messages"])


def pictures(body: dict[str, Any]) -> list[str]:
    """List the pictures of a request in their order."""
    return [
        part["image_url"]["url"]
        for message in body["messages"]
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
