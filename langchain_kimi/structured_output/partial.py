"""Answers while they grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, from_json, to_json

from langchain_kimi.structured_output.schema import WRAPPER

if TYPE_CHECKING:
    from langchain_kimi.structured_output.schema import AnswerSchema

__all__ = ["PartialAnswer"]

_GROWTH = 32
"""An answer is read again once it has grown by 1/32: every piece of a short one, and a long one
less often, so that the whole costs time linear in its length."""


class _SoFar(list[Any]):
    """The items so far. Chains sum what streams by: of two such lists the later one counts."""

    def __add__(self, later: Any) -> Any:
        return later


class PartialAnswer:
    """Reads the beginning of a JSON answer.

    Dict schemas give dicts whose last string may still grow; pydantic models give instances that
    hold the complete fields only; other types give what of a list is complete, else nothing. What a
    field's annotation says holds for a partial instance too; validators that the class defines see
    the whole answer only.
    """

    def __init__(self, schema: AnswerSchema) -> None:
        self._schema = schema
        self._pieces: list[str] = []
        self._length = 0
        self._read_at = 0
        self._last: Any = None
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        self._complete: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """All that arrived."""
        return "".join(self._pieces)

    def feed(self, piece: str) -> Any:
        """Take a piece; return the answer so far if it has become more, else None."""
        if not piece or self._schema.growth == "whole":
            return None
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length - self._read_at < self._length // _GROWTH:
            return None
        self._read_at = self._length
        self._pieces = [self.text]
        answer = self._read(self._pieces[0])
        if answer is None or answer == self._last:
            return None
        self._last = answer
        return answer

    def _read(self, text: str) -> Any:
        start = text.find("{")
        if start < 0:
            return None
        mode: Any = "trailing-strings" if self._schema.growth == "dict" else True
        try:
            value = from_json(text[start:], allow_partial=mode)
        except ValueError:
            return None  # no JSON yet: the whole answer is read leniently at its end
        if not isinstance(value, dict):
            return None
        if self._schema.growth == "model":
            return self._instance(self._schema.source, value)
        if self._schema.growth == "items":
            inner = value.get(WRAPPER)
            return self._items(inner) if isinstance(inner, list) else None
        return value or None

    def _items(self, items: list[Any]) -> list[Any] | None:
        try:
            return _SoFar(self._schema.check(items[:-1])) or None
        except (ValueError, TypeError):
            return None  # constraints that hold for the whole list only

    def _instance(self, model: type[BaseModel], value: dict[str, Any]) -> BaseModel | None:
        """Build an instance of the fields behind which another one has begun."""
        names = _names_on_the_wire(model)
        for key in list(value)[:-1]:
            name = names.get(key)
            if name is None or name in self._complete:
                continue
            adapter = self._adapters.setdefault(name, _adapter(model, name))
            try:
                self._complete[name] = adapter.validate_json(to_json(value[key]))
            except (ValidationError, PydanticSerializationError):
                continue  # the whole answer will be refused, with its reasons
        if not self._complete:
            return None
        return _of_fields(model, self._complete)


def _of_fields(model: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    """Make an instance of some fields and nothing else.

    `model_construct` would fill in the defaults of what is still to come, and run the code of the
    class that counts on all fields.
    """
    instance = model.__new__(model)
    state = {
        "__dict__": dict(fields),
        "__pydantic_fields_set__": set(fields),
        "__pydantic_extra__": {} if model.model_config.get("extra") == "allow" else None,
        "__pydantic_private__": {} if model.__private_attributes__ else None,
    }
    instance.__setstate__(state)
    return instance


def _names_on_the_wire(model: type[BaseModel]) -> dict[str, str]:
    """Map the keys of the JSON to the names of the fields."""
    names = {name: name for name in model.model_fields}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names |= {choice: name for choice in choices if isinstance(choice, str)}
    return names


def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    field = model.model_fields[name]
    annotation: Any = field.annotation
    for metadata in field.metadata:
        annotation = Annotated[annotation, metadata]
    try:
        return TypeAdapter(annotation, config=model.model_config)
    except PydanticUserError:  # a model has a configuration of its own
        return TypeAdapter(annotation)
