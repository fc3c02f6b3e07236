"""Conversations as data: what crosses the wire is told by `test_requests.py` for each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call_chunk

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.models import facts_of
from langchain_kimi.wire.request import Options

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
K26, K27, K3 = "moonshotai/kimi-k2.6", "moonshotai/kimi-k2.7-code", "moonshotai/kimi-k3"
K2_THINKING, K25 = "moonshotai/kimi-k2-thinking", "moonshotai/kimi-k2.5"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conversation, and the options it is sent with."""

    name: str
    messages: tuple[BaseMessage, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def options_for(self, endpoint: str) -> Options:
        model = self.options.get("model", K26)
        return Options(
            **{
                "model": model,
                "facts": facts_of(model),
                "endpoint": ENDPOINTS[endpoint],
                **self.options,
            }
        )


def tool(name: str, **properties: str) -> dict[str, Any]:
    """Declare a tool in OpenAI's shape; properties by type name."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Call {name}.",
            "parameters": {
                "type": "object",
                "properties": {key: {"type": kind} for key, kind in properties.items()},
                "required": list(properties),
            },
        },
    }


def thought(reasoning: str, content: Any = "", **message: Any) -> AIMessage:
    """An assistant message with reasoning, as ChatKimi makes it."""
    return AIMessage(content, additional_kwargs={"reasoning_content": reasoning}, **message)


def call(id_: str | None, name: str, **args: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": id_, "name": name, "args": args}


def result(id_: str, content: Any) -> ToolMessage:
    return ToolMessage(content, tool_call_id=id_)


def image(**block: Any) -> dict[str, Any]:
    return {"type": "image", "base64": PIXEL, "mime_type": "image/png", **block}


def streamed_turn() -> BaseMessage:
    """A turn as summing its chunks leaves it."""
    chunks = [
        AIMessageChunk("", additional_kwargs={"reasoning_content": "Look "}),
        AIMessageChunk("", additional_kwargs={"reasoning_content": "it up."}),
        AIMessageChunk(
            "",
            tool_call_chunks=[tool_call_chunk(name="weather", args="", id="w", index=0)],
        ),
        AIMessageChunk(
            "",
            tool_call_chunks=[tool_call_chunk(name=None, args='{"city": "Pa', id=None, index=0)],
        ),
        AIMessageChunk(
            "", tool_call_chunks=[tool_call_chunk(name=None, args='ris"}', id=None, index=0)]
        ),
        AIMessageChunk("", chunk_position="last"),
    ]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


WEATHER = tool("weather", city="string")
TIME = tool("time", zone="string")
ASK = HumanMessage("Weather in Paris?")
CALLS = thought("Look it up.", tool_calls=[call("w", "weather", city="Paris")])
SUNNY = result("w", "sunny")

COMMON_CASES = (
    Case(name="system_and_user", messages=(SystemMessage("Be brief."), HumanMessage("Hello"))),
    Case(
        name="roles_and_names",
        messages=(
            SystemMessage("Be brief.", name="policy"),
            ChatMessage(role="developer", content="Answer in French."),
            HumanMessage("Hello", additional_kwargs={"name": "ada"}),
            AIMessage("Bonjour", name="agent"),
            ChatMessage(role="user", content=["One.", {"type": "text", "text": "Two."}]),
        ),
    ),
    Case(name="tool_loop", messages=(ASK, CALLS, SUNNY), options={"tools": [WEATHER]}),
    Case(
        name="parallel_calls",
        messages=(
            ASK,
            thought(
                "Both at once.",
                "I look.",
                tool_calls=[call("a", "weather", city="Paris"), call("b", "time", zone="CET")],
            ),
            result("a", "sunny"),
            result("b", "noon"),
        ),
        options={"tools": [WEATHER, TIME], "parallel_tool_calls": True},
    ),
    Case(
        name="ids_count_over_the_conversation",
        messages=(
            ASK,
            thought("1", tool_calls=[call("call_9f", "weather", city="Paris")]),
            result("call_9f", "sunny"),
            thought("2", tool_calls=[call("toolu_01", "time", zone="CET")]),
            result("toolu_01", "noon"),
            thought("3", tool_calls=[call("functions.weather:0", "weather", city="Rome")]),
            result("functions.weather:0", "rain"),
        ),
        options={"tools": [WEATHER, TIME]},
    ),
    Case(
        name="repeated_ids",
        messages=(
            ASK,
            thought(
                "1", tool_calls=[call("x", "weather", city="A"), call("x", "weather", city="B")]
            ),
            result("x", "a"),
            result("x", "b"),
            thought("2", tool_calls=[call("x", "weather", city="C")]),
            result("x", "c"),
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="older_reasoning_left_out",
        messages=(ASK, CALLS, SUNNY, thought("Say it.", "Sunny."), HumanMessage("And Rome?")),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="older_reasoning_preserved",
        messages=(ASK, CALLS, SUNNY, thought("Say it.", "Sunny."), HumanMessage("And Rome?")),
        options={"tools": [WEATHER], "preserve_thinking": True},
    ),
    Case(
        name="always_preserved_by_k2_7",
        messages=(ASK, thought("Say it.", "Sunny."), HumanMessage("And Rome?")),
        options={"model": K27},
    ),
    Case(
        name="always_preserved_by_k3",
        messages=(ASK, thought("Say it.", "Sunny."), HumanMessage("And Rome?")),
        options={"model": K3},
    ),
    Case(
        name="empty_reasoning_kept",
        messages=(ASK, thought("", tool_calls=[call("w", "weather", city="Paris")]), SUNNY),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="streamed_history",
        messages=(ASK, streamed_turn(), SUNNY),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="edited_by_a_person",
        messages=(
            ASK,
            CALLS.model_copy(
                update={"content": "I ask.", "tool_calls": [call("w", "weather", city="Lyon")]}
            ),
            SUNNY,
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="from_anthropic",
        messages=(
            ASK,
            AIMessage(
                [
                    {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "w", "name": "weather", "input": {"city": "Paris"}},
                ],
                tool_calls=[call("w", "weather", city="Paris")],
            ),
            result("w", [{"type": "text", "text": "sunny"}]),
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="from_openai",
        messages=(
            ASK,
            AIMessage(
                "",
                additional_kwargs={
                    "tool_calls": [
                        {
                            "id": "w",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
                        }
                    ]
                },
            ),
            SUNNY,
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="standard_blocks",
        messages=(
            ASK,
            AIMessage(
                content_blocks=[
                    {"type": "reasoning", "reasoning": "Look "},
                    {"type": "reasoning", "reasoning": "it up."},
                    {"type": "text", "text": "Let me "},
                    {"type": "text", "text": "look."},
                    {"type": "tool_call", "id": "w", "name": "weather", "args": {"city": "Paris"}},
                ]
            ),
            SUNNY,
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="invalid_call_answered",
        messages=(
            ASK,
            AIMessage(
                "",
                invalid_tool_calls=[
                    {
                        "type": "invalid_tool_call",
                        "id": "w",
                        "name": "weather",
                        "args": '{"city": "Pa',
                        "error": "cut",
                    }
                ],
            ),
            ToolMessage("The arguments are no JSON.", tool_call_id="w", status="error"),
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="results_repaired",
        messages=(
            result("ghost", "nobody asked"),
            ASK,
            thought(
                "Three.",
                tool_calls=[
                    call("a", "weather", city="A"),
                    call("b", "weather", city="B"),
                    call("c", "weather", city="C"),
                ],
            ),
            result("c", "third"),
            result("a", "first"),
            result("a", "again"),
            HumanMessage("Go on."),
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="empty_turns_left_out",
        messages=(
            ASK,
            thought("Only thoughts."),
            AIMessage("  \n"),
            AIMessage([{"type": "text", "text": ""}]),
            HumanMessage("Still there?"),
        ),
    ),
    Case(
        name="unsafe_tool_names",
        messages=(
            ASK,
            thought("1", tool_calls=[call("a", "db.find-all", q="x"), call("b", "2fast", q="y")]),
            result("a", "found"),
            result("b", "done"),
        ),
        options={
            "tools": [
                tool("db.find-all", q="string"),
                tool("db_find_all", q="string"),
                tool("2fast", q="string"),
                tool("größe", q="string"),
            ],
            "tool_choice": "auto",
        },
    ),
    Case(
        name="image_of_the_user",
        messages=(
            HumanMessage(
                [
                    {"type": "text", "text": "Compare."},
                    image(),
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                    },
                    {"type": "image", "mimeType": "image/png", "data": PIXEL},
                ]
            ),
        ),
    ),
    Case(
        name="image_of_a_tool",
        messages=(
            ASK,
            thought(
                "1", tool_calls=[call("a", "weather", city="A"), call("b", "weather", city="B")]
            ),
            result("a", [{"type": "text", "text": "a map"}, image()]),
            result("b", [image()]),
            HumanMessage("What do they show?"),
        ),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="image_of_a_tool_at_the_end",
        messages=(ASK, CALLS, result("w", [image()])),
        options={"tools": [WEATHER]},
    ),
    Case(
        name="image_of_the_system",
        messages=(SystemMessage(["Our logo:", image()]), AIMessage("Seen."), HumanMessage("Hi")),
    ),
    Case(
        name="instant",
        messages=(ASK, CALLS, SUNNY),
        options={"thinking": False, "tools": [WEATHER]},
    ),
    Case(
        name="forced_any_k2_6",
        messages=(ASK,),
        options={"tools": [WEATHER], "tool_choice": "any"},
    ),
    Case(
        name="forced_name_k2_6",
        messages=(ASK,),
        options={"tools": [WEATHER, TIME], "tool_choice": "time"},
    ),
    Case(
        name="forced_in_a_running_loop",
        messages=(ASK, CALLS, SUNNY),
        options={"tools": [WEATHER], "tool_choice": True, "preserve_thinking": True},
    ),
    Case(
        name="forced_name_k2_7",
        messages=(ASK,),
        options={"model": K27, "tools": [WEATHER, TIME], "tool_choice": "time"},
    ),
    Case(
        name="forced_any_k3",
        messages=(ASK,),
        options={"model": K3, "tools": [WEATHER], "tool_choice": "required"},
    ),
    Case(
        name="forced_name_k3",
        messages=(ASK,),
        options={
            "model": K3,
            "tools": [WEATHER, TIME],
            "tool_choice": {"type": "function", "function": {"name": "time"}},
        },
    ),
    Case(
        name="no_tool_may_be_called",
        messages=(ASK,),
        options={"tools": [WEATHER], "tool_choice": "none"},
    ),
    Case(
        name="sampling_and_budget",
        messages=(ASK,),
        options={
            "temperature": 0.2,
            "top_p": 0.5,
            "max_tokens": 100_000,
            "seed": 7,
            "stop": ["END", "\n\n"],
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    Case(
        name="extra_body_merged",
        messages=(ASK,),
        options={
            "preserve_thinking": True,
            "extra_body": {
                "chat_template_kwargs": {"thinking_effort": "low"},
                "thinking": {"keep": None},
                "nvext": {"agent": {"id": 1}},
                "top_k": 20,
            },
        },
    ),
    Case(
        name="answer_in_a_schema",
        messages=(SystemMessage("Be brief."), ASK),
        options={
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "Weather",
                    "schema": {
                        "type": "object",
                        "properties": {"sky": {"type": "string"}},
                        "required": ["sky"],
                    },
                },
            }
        },
    ),
    Case(
        name="answer_in_a_schema_beside_tools",
        messages=(ASK,),
        options={
            "tools": [WEATHER],
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "Weather",
                    "strict": False,
                    "schema": {"type": "object", "properties": {"sky": {"type": "string"}}},
                },
            },
        },
    ),
    Case(
        name="answer_in_any_json",
        messages=(ASK,),
        options={"response_format": {"type": "json_object"}},
    ),
    Case(
        name="answer_in_text",
        messages=(ASK,),
        options={"response_format": {"type": "text"}},
    ),
    Case(
        name="k2_thinking_takes_no_switch",
        messages=(ASK, CALLS, SUNNY),
        options={"model": K2_THINKING, "tools": [WEATHER]},
    ),
    Case(name="k2_5", messages=(ASK,), options={"model": K25}),
    Case(name="a_model_nobody_knows", messages=(ASK,), options={"model": "my-kimi"}),
)
