"""Structured answers: an instance of the asked schema, filled from the words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langchain_kimi.testing.standin.answer import NAME, answer_text
from langchain_kimi.testing.standin.arguments import Filler
from langchain_kimi.testing.standin.situation import Situation


def wanted_schema(situation: Situation) -> Mapping[str, Any] | None:
    """Return the schema that the answer must meet; ``{}`` for any object; None for text.

    It stands in ``response_format``, or behind the words "JSON schema" in the system message.
    """
    body = situation.request.body
    wanted = body.get("response_format")
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        return schema if isinstance(schema, Mapping) else {}
    told = _schema_in_prompt(body.get("messages"))
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_object":
        return told or {}
    return told


def _schema_in_prompt(messages: Any) -> Mapping[str, Any] | None:
    for message in messages if isinstance(messages, list) else []:
        text = message.get("content") if message.get("role") == "system" else None
        at = text.find("JSON schema") if isinstance(text, str) else -1
        start = text.find("{", at) if isinstance(text, str) and at >= 0 else -1
        if start >= 0 and isinstance(text, str):
            try:
                found, _ = json.JSONDecoder().raw_decode(text, start)
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
    )
    filled = filler.fill("answer", schema)
    return None if filled is None else filled.value
