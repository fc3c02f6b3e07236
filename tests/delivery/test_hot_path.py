"""A conversation without media is handed on as it is, and nothing is read, copied or made."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_kimi import ChatKimi
from langchain_kimi.delivery import conversation
from langchain_kimi.delivery.conversation import Route, adeliver, deliver
from langchain_kimi.delivery.uploads import Uploads
from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiInvalidInputError

from .helpers import CALLS, ask, film_block, long_film, model, picture_block, png, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi.testing import KimiServer

CALL: Any = {"name": "look", "args": {}, "id": "a", "type": "tool_call"}
TEXT_ONLY = [
    SystemMessage("Be brief."),
    HumanMessage([text("Look"), "at this"]),
    AIMessage([{"type": "reasoning", "reasoning": "Hm."}], tool_calls=[CALL]),
    ToolMessage([text("Nothing.")], tool_call_id="a"),
    HumanMessage([{"type": "text-plain", "text": "notes"}]),
]


def route() -> Route:
    def connect() -> Any:
        raise AssertionError("nothing goes up")

    return Route(base_url="http://127.0.0.1:1/v1", uploads=Uploads(), connect=connect)


@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
async def test_the_same_list_comes_back(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("there is nothing to prepare")

    for name in ("_planned", "_replaced", "payload"):
        monkeypatch.setattr(conversation, name, never)
    before = copy.deepcopy(TEXT_ONLY)
    row = ENDPOINTS[endpoint]
    assert deliver(TEXT_ONLY, row, route()) is TEXT_ONLY
    assert await adeliver(TEXT_ONLY, row, route()) is TEXT_ONLY
    assert before == TEXT_ONLY


async def test_pictures_that_are_fine_leave_the_list_as_it_is() -> None:
    messages = [HumanMessage([picture_block(png()), text("What?")])]
    for row in ENDPOINTS.values():
        assert deliver(messages, row, route()) is messages
        assert await adeliver(messages, row, route()) is messages


def test_only_messages_with_something_to_do_are_new() -> None:
    messages = [*TEXT_ONLY, HumanMessage([picture_block(png(9_000, 10))])]
    sent = deliver(messages, ENDPOINTS["vllm"], route())
    assert [new is old for new, old in zip(sent, messages, strict=True)] == [True] * 5 + [False]


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("data", ["!!", "PHN2Zy8+"], ids=["broken", "no_picture"])
async def test_a_picture_of_a_tool_that_cannot_be_read_is_told_to_the_model(
    serve: Callable[..., KimiServer], how: str, data: str
) -> None:
    server = serve("vllm")
    block = {"type": "image", "base64": data, "mime_type": "image/png"}
    asked = AIMessage("", tool_calls=[{"name": "draw", "args": {}, "id": "1"}])

    with pytest.raises(KimiInvalidInputError, match=r"messages\[0\]\.content\[0\]"):
        await ask(model(server), [HumanMessage([block])], how)
    await ask(
        model(server), [HumanMessage("Draw."), asked, ToolMessage([block], tool_call_id="1")], how
    )

    result = server.requests[-1]["messages"][-1]
    assert result["role"] == "tool"
    assert "A part of this result cannot be shown" in result["content"]


@pytest.mark.parametrize("how", CALLS)
async def test_other_files_stay_an_error_that_names_them(
    serve: Callable[..., KimiServer], how: str
) -> None:
    block = {"type": "file", "mime_type": "application/pdf", "base64": "JVBERi0xLjc="}
    with pytest.raises(
        KimiInvalidInputError, match=r"messages\[0\]\.content\[0\].*document\(path\)"
    ):
        await ask(model(serve("vllm")), [HumanMessage([block])], how)


def test_models_with_uploads_can_be_copied_and_pickled(serve: Callable[..., KimiServer]) -> None:
    server = serve("moonshot")
    llm = model(server)
    llm.invoke([HumanMessage([film_block(long_film()), text("What?")])])
    for twin in (pickle.loads(pickle.dumps(llm)), copy.deepcopy(llm), llm.model_copy(deep=True)):
        assert isinstance(twin, ChatKimi)
        assert len(twin._links.uploads) == 0
    assert len(llm._links.uploads) == 1
