"""The SQL of a filter; the namespace is always part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_kimi.rag.index.records import Filter, Level
from langchain_kimi.rag.index.schema import LEVELS


def condition(namespace: str, level: Level, where: Filter | None) -> tuple[str, list[Any]]:
    """Return the condition on `units u` and its values.

    Raises:
        ValueError: If there is no such level.
    """
    if level not in LEVELS:
        msg = f"unknown level {level!r}: use one of {', '.join(LEVELS)}"
        raise ValueError(msg)
    parts, values = ["u.namespace = ?", "u.level = ?"], [namespace, level]
    if where is None:
        return " AND ".join(parts), values
    result: list[Any] = list(values)
    if where.documents:
        parts.append(f"u.document_id IN ({marks(where.documents)})")
        result += where.documents
    if where.ids:
        parts.append(f"u.id IN ({marks(where.ids)})")
        result += where.ids
    if where.kinds:
        parts.append(f"u.kind IN ({marks(where.kinds)})")
        result += where.kinds
    if where.pages:
        parts.append("u.page BETWEEN ? AND ?")
        result += where.pages
    document, document_values = _of_document(where)
    if document:
        parts.append(
            "u.document_id IN (SELECT d.id FROM documents d WHERE d.namespace = ?"
            f" AND {' AND '.join(document)})"
        )
        result += [namespace, *document_values]
    return " AND ".join(parts), result


def units_table(where: Filter | None) -> str:
    """Return the table of units with the index that a filter calls for.

    SQLite prefers the index that gives the order of the rows, and reads all of a tenant for a few
    ids.
    """
    return "units u INDEXED BY units_by_id" if where is not None and where.ids else "units u"


def document_condition(namespace: str, where: Filter | None) -> tuple[str, list[Any]] | None:
    """Return the condition on `documents d` and its values; None when all documents meet it."""
    if where is None:
        return None
    parts, values = _of_document(where)
    if where.documents:
        parts.append(f"d.id IN ({marks(where.documents)})")
        values += where.documents
    if not parts:
        return None
    return " AND ".join(["d.namespace = ?", *parts]), [namespace, *values]


def concerns_units(where: Filter | None) -> bool:
    """Tell whether a filter asks for more than a document can answer."""
    return where is not None and bool(where.ids or where.kinds or where.pages)


def _of_document(where: Filter) -> tuple[list[str], list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    if where.paths:
        parts.append("(" + " OR ".join(["d.path GLOB ?"] * len(where.paths)) + ")")
        values += where.paths
    if where.media_types:
        parts.append(f"d.media_type IN ({marks(where.media_types)})")
        values += where.media_types
    if where.after:
        parts.append("d.date >= ?")
        values.append(where.after)
    if where.before:
        parts.append("d.date <> '' AND d.date < ?")
        values.append(where.before)
    if where.tags:
        parts.append(
            "d.id IN (SELECT g.document_id FROM tags g WHERE g.namespace = d.namespace"
            f" AND g.tag IN ({marks(where.tags)}))"
        )
        values += where.tags
    return parts, values


def marks(values: Sequence[Any]) -> str:
    """Return a question mark for each value."""
    return ", ".join("?" * len(values))
