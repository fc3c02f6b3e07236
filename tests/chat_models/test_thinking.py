"""Thinking is switched for a model, a binding and a call, and survives further bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.testing import call, say, say_json, think, turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi import ChatKimi
    from langchain_kimi.testing import KimiServer

    from .calling import Ask


class City(BaseModel):
    """A city."""

    name: str


def look(city: str) -> str:
    """Look at a city."""
    return city


def thinks(server: KimiServer) -> bool:
    """Read the switch of the last request, by the field that the endpoint reads."""
    body = server.requests[-1]
    if server.dialect == "moonshot":
        return bool(body["thinking"]["type"] == "enabled")
    return bool(body["chat_template_kwargs"]["thinking"])


WAYS: dict[str, Callable[[ChatKimi], Any]] = {
    "bind": lambda llm: llm.bind(thinking=False),
    "thinking_mode": lambda llm: llm.with_thinking_mode(enabled=False),
    "bind_tools_after_bind": lambda llm: llm.bind(thinking=False).bind_tools([look]),
    "bind_after_bind_tools": lambda llm: llm.bind_tools([look]).bind(thinking=False),
    "in_bind_tools": lambda llm: llm.bind_tools([look], thinking=False),
    "config_between": lambda llm: (
        llm.bind(thinking=False).with_config(tags=["x"]).bind_tools([look])
    ),
    "bound_twice": lambda llm: llm.bind(thinking=True).bind(thinking=False),
    "copy": lambda llm: llm.model_copy(update={"thinking": False}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_binding_switches(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, way: str
) -> None:
    server.script(say("Yes."))

    await ask(WAYS[way](connect(server)), "Hi")

    assert not thinks(server)
    if "tools" in way:
        assert server.requests[0]["tools"][0]["function"]["name"] == "look"


@pytest.mark.parametrize("thinking", [True, False])
async def test_a_call_overrules_the_model(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, thinking: bool
) -> None:
    server.script(*[turn(think("hm"), say("Yes."))] * 2)
    llm = connect(server, thinking=not thinking)

    said = await ask(llm, "Hi", thinking=thinking)

    assert thinks(server) is thinking
    assert ("reasoning_content" in said.additional_kwargs) is thinking
    await ask(llm, "Hi", thinking=None)
    assert thinks(server) is not thinking


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
def test_a_binding_survives_structured_output(
    server: KimiServer, connect: Callable[..., ChatKimi], method: Any
) -> None:
    answer = {"name": "Paris"}
    server.script(call("City", answer) if method == "function_calling" else say_json(answer))
    llm = connect(server).bind(thinking=False)

    city = llm.with_structured_output(City, method=method).invoke("A city?")

    assert city == City(name="Paris")
    assert not thinks(server)


def test_tools_and_thinking_survive_structured_output(
    server: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    server.script(say_json({"name": "Paris"}))
    llm = connect(server).bind_tools([look]).bind(thinking=False, temperature=0.3, seed=5)

    assert llm.with_structured_output(City).invoke("A city?") == City(name="Paris")

    assert not thinks(server)
    assert server.requests[0]["tools"][0]["function"]["name"] == "look"
    assert server.requests[0]["seed"] == 5


FIELD = ConfigurableField(id="thinking")
OFF: Any = {"configurable": {"thinking": False}}
CONFIGURED: dict[str, Callable[[ChatKimi], Any]] = {
    "model": lambda llm: llm.configurable_fields(thinking=FIELD),
    "bind_tools_after": lambda llm: llm.configurable_fields(thinking=FIELD).bind_tools([look]),
    "bind_tools_before": lambda llm: llm.bind_tools([look]).configurable_fields(thinking=FIELD),
    "bind_after": lambda llm: llm.configurable_fields(thinking=FIELD).bind(seed=5),
    "two_fields": lambda llm: (
        llm.configurable_fields(seed=ConfigurableField(id="seed"))
        .configurable_fields(thinking=FIELD)
        .bind_tools([look])
    ),
}


@pytest.mark.parametrize("way", CONFIGURED)
async def test_a_field_is_configured_for_a_call(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, way: str
) -> None:
    server.script(*[say("Yes.")] * 2)
    llm = CONFIGURED[way](connect(server))

    await ask(llm, "Hi", config=OFF)
    assert not thinks(server)
    await ask(llm, "Hi")
    assert thinks(server)
    if "tools" in way:
        assert all("tools" in body for body in server.requests)


WRAPPED: dict[str, Callable[[ChatKimi], Any]] = {
    "with_config": lambda llm: llm.with_config(tags=["x"]),
    "with_listeners": lambda llm: llm.with_listeners(on_start=lambda _: None),
    "with_types": lambda llm: llm.with_types(output_type=AIMessage),
}


@pytest.mark.parametrize("way", WRAPPED)
async def test_what_is_bound_behind_a_config_stays(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, way: str
) -> None:
    vllm.script(*[say("Yes.")] * 2)
    llm = WRAPPED[way](connect(vllm))

    await ask(llm.bind(thinking=False).bind_tools([look]), "Hi")
    await ask(llm.configurable_fields(thinking=FIELD), "Hi", config=OFF)

    assert [body["chat_template_kwargs"]["thinking"] for body in vllm.requests] == [False] * 2
    assert "tools" in vllm.requests[0]


def test_structured_output_of_a_configured_model(
    server: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    server.script(*[say_json({"name": "Paris"})] * 2)
    llm: Any = connect(server).configurable_fields(thinking=FIELD)
    chain = llm.with_structured_output(City)

    assert chain.invoke("A city?", OFF) == City(name="Paris")
    assert not thinks(server)
    assert chain.invoke("A city?") == City(name="Paris")
    assert thinks(server)


def test_alternatives(
    servers: Callable[[str], KimiServer], connect: Callable[..., ChatKimi]
) -> None:
    one, other = servers("vllm"), servers("sglang")
    for server in (one, other):
        server.clear()
        server.script(*[say(server.dialect)] * 2)
    llm: Any = connect(one).configurable_alternatives(
        ConfigurableField(id="server"), sglang=connect(other)
    )

    bound = llm.bind_tools([look])

    assert bound.invoke("Hi").content == "vllm"
    assert bound.invoke("Hi", {"configurable": {"server": "sglang"}}).content == "sglang"
    assert all("tools" in server.requests[-1] for server in (one, other))


@pytest.mark.parametrize("name", ["thinking", "parallel_tool_calls"])
@pytest.mark.parametrize("value", ["disabled", {"type": "disabled"}, 0, "false"])
def test_what_is_no_switch_is_refused(
    vllm: KimiServer, connect: Any, value: Any, name: str
) -> None:
    with pytest.raises(KimiInvalidInputError, match=rf"{name}=.* is no switch"):
        connect(vllm).invoke("Hi", **{name: value})
    assert vllm.requests == []


def test_a_model_that_always_thinks_refuses_the_switch(vllm: KimiServer, connect: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match="Kimi K3 always thinks"):
        connect(vllm, model="moonshotai/Kimi-K3").invoke("Hi", thinking=False)
