"""Moonshot's own schemas go through with_structured_output and stay what they were."""

from __future__ import annotations

import contextlib
import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from jsonschema import Draft202012Validator

from langchain_kimi import ChatKimi
from langchain_kimi.errors import KimiStructuredOutputError
from langchain_kimi.testing import KimiServer, say_json

SHARED = Path(os.environ.get("KIMI_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
SCHEMAS = [
    pytest.param(json.loads(line), id=f"{path.parent.name}-{number}")
    for path in sorted((SHARED / "walle").glob("*/valid.jsonl"))
    for number, line in enumerate(path.read_text().splitlines())
    if line.strip()
]


@pytest.fixture(scope="module")
def moonshot() -> Iterator[KimiServer]:
    with KimiServer("moonshot") as server:
        yield server


@pytest.fixture(scope="module")
def llm(moonshot: KimiServer) -> Iterator[ChatKimi]:
    model = ChatKimi(base_url=moonshot.base_url, api_key="k", endpoint="moonshot", max_retries=0)
    yield model
    model.close()


def instance_of(schema: dict[str, Any]) -> Any:
    """Make a value that fits: at random, or the smallest, or `{}` where there is none."""
    made: list[Any] = []

    @settings(
        max_examples=1,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def make(data: st.DataObject) -> None:
        made.append(data.draw(from_schema(schema)))

    with contextlib.suppress(Exception):  # recursive references, contradictory bounds
        make()
    with contextlib.suppress(RecursionError, MemoryError, OverflowError):
        made = made or [smallest(schema, schema)]
    return made[-1] if made else {}


def fits(schema: dict[str, Any], value: Any) -> bool:
    rules = {key: rule for key, rule in schema.items() if key != "$id"}
    return bool(Draft202012Validator(rules).is_valid(value))


def smallest(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """Make the smallest value that a simple schema takes."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].partition("#")[2].split("/")[1:]:
            target = target[part]
        return smallest(target, root)
    for key in ("enum", "anyOf"):
        if key in schema:
            first = schema[key][0]
            return first if key == "enum" else smallest(first, root)
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        known = schema.get("properties", {})
        return {name: smallest(known[name], root) for name in schema.get("required", ())}
    size = schema.get("minItems", 0)
    return {
        "array": [smallest(schema.get("items", {}), root)] * size if kind == "array" else None,
        "string": "x" * schema.get("minLength", 0),
        "integer": schema.get("minimum", 0),
        "number": schema.get("minimum", 0),
        "boolean": True,
        "null": None,
    }[kind]


@pytest.mark.skipif(not SCHEMAS, reason=f"Moonshot's schema cases are not in {SHARED}")
@pytest.mark.parametrize("schema", SCHEMAS)
def test_schemas_reach_the_strict_server_and_answers_come_back(
    moonshot: KimiServer, llm: ChatKimi, schema: dict[str, Any]
) -> None:
    value = instance_of(schema)
    moonshot.clear()
    structured = llm.with_structured_output(copy.deepcopy(schema), repair=False)
    wrapped = not isinstance(value, dict)
    moonshot.script(*[say_json({"value": value} if wrapped else value)] * 2)

    if fits(schema, value):
        assert structured.invoke("Go.") == value
        assert list(structured.stream("Go."))[-1] == value
    else:  # nothing fits: a node that needs a node that needs a node
        with pytest.raises(KimiStructuredOutputError):
            structured.invoke("Go.")
    sent = moonshot.requests[0]["response_format"]["json_schema"]["schema"]
    Draft202012Validator.check_schema(sent)


@pytest.mark.skipif(not SCHEMAS, reason=f"Moonshot's schema cases are not in {SHARED}")
def test_what_does_not_fit_the_original_is_refused(moonshot: KimiServer, llm: ChatKimi) -> None:
    refused = 0
    for case in SCHEMAS:
        schema: Any = case.values[0]
        wrong = {"surely": {"not": ["this"]}}
        if fits(schema, wrong):
            continue
        moonshot.clear()
        moonshot.script(say_json(wrong))
        with pytest.raises(KimiStructuredOutputError):
            llm.with_structured_output(schema, repair=False).invoke("Go.")
        refused += 1

    assert refused > 50
