"""Odd schemas by every method, on every endpoint, thinking or not, streamed or not."""

from __future__ import annotations

import json
import typing
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import Field, TypeAdapter
from typing_extensions import is_typeddict

from langchain_kimi import ChatKimi
from langchain_kimi.errors import KimiInvalidInputError, KimiStructuredOutputError
from langchain_kimi.structured_output import read_schema
from langchain_kimi.structured_output.parse import parse_message
from langchain_kimi.testing import KimiServer, call, say_json, think, turn

from .odd_kinds import ODD, Joke, Meeting, Money, Person

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ["json_schema", "function_calling", "json_mode"]


@pytest.fixture(scope="module", params=["nvidia", "vllm", "sglang", "moonshot"])
def server(request: pytest.FixtureRequest) -> Iterator[KimiServer]:
    with KimiServer(request.param) as server:
        yield server


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ODD)
async def test_every_kind_gives_back_its_type(server: KimiServer, kind: str, method: Any) -> None:
    schema, answer = ODD[kind]
    reading = read_schema(schema)
    inner = answer["value"] if reading.wrapped else answer
    wanted = wanted_of(schema, inner)
    reply = call(reading.name, answer) if method == "function_calling" else say_json(answer)
    for thinking in (True, False):
        llm = ChatKimi(
            base_url=server.base_url, api_key="k", endpoint=server.dialect, thinking=thinking
        )
        structured = llm.with_structured_output(schema, method=method, repair=False)
        thoughts = thinking and method != "function_calling"
        server.clear()
        server.script(*[turn(think("Hm."), reply) if thoughts else turn(reply)] * 3)
        answers = [
            structured.invoke("Go."),
            list(structured.stream("Go."))[-1],
            [piece async for piece in structured.astream("Go.")][-1],
        ]
        assert answers == [wanted] * 3
        assert {type(got) for got in answers} == {type(wanted)}
        await llm.aclose()


def wanted_of(schema: Any, value: Any) -> Any:
    """Read a value as pydantic does; of the TypedDicts here only one holds more than JSON."""
    if is_typeddict(schema) and schema is not Meeting:
        return value
    return TypeAdapter(schema).validate_json(json.dumps(value))


# --- TypedDicts -------------------------------------------------------------------------------


def test_what_langchain_writes_into_a_typed_dict_is_read() -> None:
    joke = read_schema(Joke).json_schema
    assert joke["description"] == Joke.__doc__
    assert joke["required"] == ["setup"]
    described = {name: told["description"] for name, told in joke["properties"].items()}
    assert described == {"setup": "How it begins", "rating": "How funny it is"}
    person = read_schema(Person).json_schema
    assert person["required"] == ["name"]
    assert person["properties"]["name"]["description"] == "the name"


def test_constraints_beside_a_description_hold() -> None:
    shape = typing.TypedDict("Shape", {"sides": Annotated[int, Field(ge=3), "how many"]})  # noqa: UP013
    reading = read_schema(shape)
    assert reading.json_schema["properties"]["sides"] == {
        "type": "integer",
        "minimum": 3,
        "description": "how many",
        "title": "Sides",
    }
    with pytest.raises(KimiStructuredOutputError, match="sides"):
        parse('{"sides": 2}', shape)


def test_a_typed_dict_of_the_standard_library_inside_of_another() -> None:
    """Pydantic refuses it before Python 3.12."""
    inner = typing.TypedDict("inner", {"n": int})  # noqa: UP013
    outer = typing.TypedDict("outer", {"inner": inner, "many": list[inner]})  # type: ignore[valid-type]  # noqa: UP013

    assert parse('{"inner": {"n": 1}, "many": [{"n": 2}]}', outer) == {
        "inner": {"n": 1},
        "many": [{"n": 2}],
    }
    with pytest.raises(KimiStructuredOutputError, match="n"):
        parse('{"inner": {"n": "x"}, "many": []}', outer)


def test_traces_get_a_typed_dict_only_where_core_can_read_it() -> None:
    assert read_schema(Joke).is_known_to_core
    assert convert_to_json_schema(Joke)["title"] == "Joke"
    assert not read_schema(Person).is_known_to_core


# --- what no schema or reply may do --------------------------------------------------------------


def parse(text: str, schema: Any) -> Any:
    message = AIMessage(text, response_metadata={"finish_reason": "stop"})
    return parse_message(message, read_schema(schema), as_tool=False)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/nope"}, "#/nope"),
        ({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}, "outside"),
        ({"$id": "http://127.0.0.1:9/y", "properties": {"a": {"$ref": "z"}}}, "outside"),
        ({"type": "object", "properties": {"a": {"$dynamicRef": "#x"}}}, "dynamicRef"),
        (Annotated[str, Field(pattern="(?=x)")], "look-ahead"),
        ("Nope", "not fully defined"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_followed_is_refused_when_bound(
    method: Any, schema: Any, words: str
) -> None:
    with pytest.raises(KimiInvalidInputError, match=words):
        ChatKimi(api_key="k").with_structured_output(schema, method=method)


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}]
)
def test_a_reference_in_a_circle_is_a_mismatch(schema: Any) -> None:
    with pytest.raises(KimiStructuredOutputError, match="leads back to itself"):
        parse('{"value": 1}', schema)


LOOPS = {
    "lists": '{"a": ' + "[" * 100_000,
    "closed lists": '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "objects": '{"a": ' * 50_000,
    "braces": "{" * 50_000,
    "words": "{a: " * 20_000,
    "backslashes": '{"a": "' + "\\" * 100_000,
    "fences": "```json\n" * 20_000,
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("schema", [Money, {"title": "Any", "type": "object"}])
def test_a_model_that_runs_in_circles(loop: str, schema: Any) -> None:
    with pytest.raises(KimiStructuredOutputError):
        parse(LOOPS[loop], schema)
