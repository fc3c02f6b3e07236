"""Structured answers: an instance of the asked schema, filled from the words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langchain_kimi.testing.standin.answer import NAME, answer_text
from langchain_kimi.testing.standin.arguments import Filler
from langchain_kimi.testing.standin.schemas import in_objects
from langchain_kimi.testing.standin.situation import Situation, text_of

SCHEMA_WORDS = "JSON schema"


def wanted_schema(situation: Situation) -> Mapping[str, Any] | None:
    """Return the schema that the answer must meet; ``{}`` for any object; None for text.

    It stands in ``response_format``, or behind the words "JSON schema" in the system message.
    """
    wanted = situation.request.body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if isinstance(wanted, Mapping) and kind == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        return in_objects(schema) if isinstance(schema, Mapping) else {}
    told = _schema_in_prompt(situation)
    return told or {} if kind == "json_object" else told


def _schema_in_prompt(situation: Situation) -> Mapping[str, Any] | None:
    for message in situation.request.messages:
        _, words, rest = text_of(message).partition(SCHEMA_WORDS)
        start = rest.find("{")
        if message.get("role") != "system" or not words or start < 0:
            continue
        try:
            found, _ = json.JSONDecoder().raw_decode(rest, start)
        except ValueError:
            continue  # the words stand there without a schema
        return found if isinstance(found, dict) else None
    return None


def instance(schema: Mapping[str, Any], situation: Situation) -> Any:
    """Fill a schema from the question and the results; ``{}`` gives an answer field."""
    answer = answer_text(situation)
    if not schema:
        return {"answer": answer}
    results = "\n".join(result.text for result in situation.results if not result.failed)
    filler = Filler(
        text=f"{situation.question}\n{results}".strip(),
        root=schema,
        made_up=lambda name: answer if situation.results else f"{NAME}: {name}",
        made_up_first=bool(situation.results),
    )
    filled = filler.fill("answer", schema)
    return None if filled is None else filled.value
