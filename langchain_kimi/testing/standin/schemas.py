"""JSON Schemas as the stand-in reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BY_NAME = ("properties", "$defs", "definitions")
_IN_A_LIST = ("anyOf", "oneOf", "allOf")


def in_objects(schema: Any) -> dict[str, Any]:
    """Return a valid schema with each boolean below it written as an object: `true` as `{}`."""
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    written = dict(schema)
    for key in _BY_NAME:
        if isinstance(schema.get(key), Mapping):
            written[key] = {name: in_objects(one) for name, one in schema[key].items()}
    for key in _IN_A_LIST:
        if isinstance(schema.get(key), list):
            written[key] = [in_objects(one) for one in schema[key]]
    if "items" in schema:
        written["items"] = in_objects(schema["items"])
    return written
