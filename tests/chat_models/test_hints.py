"""langchain-core evaluates type hints of public methods, for fallbacks among others."""

from __future__ import annotations

import typing

import pytest

from langchain_kimi import ChatKimi
from langchain_kimi.binding import KimiBinding
from langchain_kimi.testing import KimiServer, call, say, server_error
from langchain_kimi.wire.arguments import parse_arguments


@pytest.mark.parametrize("kind", [ChatKimi, KimiBinding])
@pytest.mark.parametrize("name", ["bind_tools", "with_structured_output", "bind"])
def test_hints_of_public_methods_can_be_evaluated(kind: type, name: str) -> None:
    assert typing.get_type_hints(getattr(kind, name))


def test_tools_are_bound_through_fallbacks() -> None:
    def look_up(city: str) -> str:
        """Look a city up."""
        return city

    with KimiServer(dialect="vllm") as server:
        llm = ChatKimi(base_url=server.base_url, max_retries=0)
        server.script(server_error(), call("look_up", city="Paris"), say("never"))
        message = llm.with_fallbacks([llm]).bind_tools([look_up]).invoke("Go.")
        assert message.tool_calls[0]["args"] == {"city": "Paris"}


def test_a_number_of_endless_digits_is_an_invalid_call_with_a_reason() -> None:
    arguments, reason = parse_arguments('{"x": ' + "9" * 5000 + "}")
    assert arguments is None
    assert reason is not None


def test_no_key_stands_in_private_attributes() -> None:
    with KimiServer(dialect="vllm") as server:
        llm = ChatKimi(base_url=server.base_url, api_key="nvapi-very-secret")
        llm.invoke("Hi")
        assert "very-secret" not in repr(llm.__pydantic_private__)
