"""`$ref`: what it points to, whether it comes back to itself, and what to call it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.tool_schemas.keywords import DROPPED, Schema, subschemas

MAX_INLINED = 2_000
"""Subschemas that a schema may grow to by inlining; a larger one keeps its references."""


class References:
    """The references of one schema document.

    Args:
        root: The document; never changed.
    """

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._id = str(root.get("$id", "")).rstrip("#")
        self._anchors: dict[str, Any] | None = None
        self._names: dict[str, str] = {}
        self._inside: dict[str, tuple[str, ...]] = {}
        self._kept: set[str] | None = None

    def target(self, ref: str) -> Any:
        """Return the schema that a reference points to.

        Raises:
            KimiInvalidInputError: It leaves the document or points to nothing.
        """
        pointer = self.pointer(ref)
        if not pointer.startswith("#"):
            msg = (
                f"the schema refers to {ref!r}, outside itself; Kimi takes references into the "
                "same document only: put the definition under $defs"
            )
            raise KimiInvalidInputError(msg)
        found = self._lookup(pointer)
        if not isinstance(found, dict | bool):
            msg = (
                f"the schema refers to {ref!r}, where there is no schema; "
                "define it under $defs or correct the reference"
            )
            raise KimiInvalidInputError(msg)
        return found

    def pointer(self, ref: str) -> str:
        """Return the reference in the one form that names its target here."""
        if self._id and ref.startswith(self._id):
            ref = ref[len(self._id) :]
        return unquote(ref).removesuffix("/") if ref not in ("", "#") else "#"

    def root_reference(self) -> str | None:
        """Return where the root refers to and says nothing else: a recursive pydantic model."""
        ref = self._root.get("$ref")
        rest = self._root.keys() - DROPPED - {"$ref", "title", "description"}
        return self.pointer(ref) if isinstance(ref, str) and not rest else None

    def is_kept(self, ref: str) -> bool:
        """Tell whether the reference stays one: it is recursive, or inlining would swell."""
        if self._kept is None:
            self._kept = self._recursive() or set()
            if self._size(self._root, {}) > MAX_INLINED:
                self._kept = set(self._reachable(self._root))
        return self.pointer(ref) in self._kept

    def name(self, ref: str) -> str:
        """Return the name under the root's `$defs` of a kept reference, without `/`."""
        pointer = self.pointer(ref)
        if pointer not in self._names:
            base = re.sub(r"[^\w.-]", "_", pointer.rsplit("/", 1)[-1]) or "Definition"
            name, number = base, 2
            while name in self._names.values():
                name, number = f"{base}_{number}", number + 1
            self._names[pointer] = name
        return self._names[pointer]

    def _lookup(self, pointer: str) -> Any:
        if pointer == "#":
            return self._root
        if not pointer.startswith("#/"):
            return self._anchored().get(pointer[1:])
        found: Any = self._root
        for part in pointer[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                return None
        return found

    def _anchored(self) -> dict[str, Any]:
        if self._anchors is None:
            self._anchors = {}
            pending: list[Any] = [self._root]
            while pending:
                schema = pending.pop()
                if isinstance(schema.get("$anchor"), str):
                    self._anchors[schema["$anchor"]] = schema
                for holder in ("$defs", "definitions"):
                    if isinstance(schema.get(holder), dict):
                        pending += [v for v in schema[holder].values() if isinstance(v, dict)]
                pending += [sub for _, sub in subschemas(schema) if isinstance(sub, dict)]
        return self._anchors

    def _refs_inside(self, schema: Any) -> tuple[str, ...]:
        """List the references that stand in a schema, without following them."""
        found: dict[str, None] = {}
        pending = [schema]
        while pending:
            current = pending.pop()
            if not isinstance(current, dict):
                continue
            if isinstance(current.get("$ref"), str):
                found[self.pointer(current["$ref"])] = None
            pending += [sub for _, sub in subschemas(current)]
        return tuple(found)

    def _refs_of(self, pointer: str) -> tuple[str, ...]:
        if pointer not in self._inside:
            self._inside[pointer] = self._refs_inside(self.target(pointer))
        return self._inside[pointer]

    def _reachable(self, schema: Any) -> list[str]:
        seen: dict[str, None] = {}
        pending = list(self._refs_inside(schema))
        while pending:
            pointer = pending.pop()
            if pointer not in seen:
                seen[pointer] = None
                pending += self._refs_of(pointer)
        return list(seen)

    def _recursive(self) -> set[str]:
        return {
            pointer
            for pointer in self._reachable(self._root)
            if pointer in self._reachable(self.target(pointer))
        }

    def _size(self, schema: Any, sizes: dict[str, int]) -> int:
        """Count the subschemas after inlining, with each definition counted once and reused."""
        total = 1
        ref = schema.get("$ref") if isinstance(schema, dict) else None
        if isinstance(ref, str):
            pointer = self.pointer(ref)
            if pointer not in sizes:
                sizes[pointer] = 1
                if pointer not in (self._kept or ()):
                    sizes[pointer] = self._size(self.target(pointer), sizes)
            total += sizes[pointer]
        return total + sum(self._size(sub, sizes) for _, sub in subschemas(schema))
