"""TypedDicts as LangChain users write them, made ready for pydantic.

LangChain reads `Annotated[int, ..., "what it is"]` as a field with a description, and
`Annotated[int | None, None, "what it is"]` as one with a default, which may be left out. Pydantic
takes neither for what it says, and before Python 3.12 refuses `typing.TypedDict`.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin

from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import Field
from typing_extensions import ReadOnly, TypedDict, get_type_hints

__all__ = ["for_pydantic", "is_read_by_core"]

_MARKS = (Required, NotRequired, ReadOnly)
_PLAIN = (type(None), EllipsisType, str, int, float, list, dict)


def for_pydantic(source: Any) -> Any:
    """Return a TypedDict that pydantic reads as LangChain reads the source.

    Args:
        source: A TypedDict.

    Raises:
        NameError: A name in its annotations is not defined.
    """
    fields: dict[str, Any] = {}
    for name, hint in get_type_hints(source, include_extras=True).items():
        bare, marked = _unmarked(hint)
        needed = name in source.__required_keys__ if marked is None else marked
        annotation, has_default = _read(bare)
        fields[name] = (
            Required[annotation] if needed and not has_default else NotRequired[annotation]
        )
    make: Any = TypedDict
    made: Any = make(source.__name__, fields)
    made.__doc__ = source.__doc__
    made.__pydantic_config__ = getattr(source, "__pydantic_config__", {})
    return made


def is_read_by_core(source: Any) -> bool:
    """Say whether langchain-core can read a TypedDict; it stumbles over `Required[Annotated]`."""
    try:
        convert_to_json_schema(source)
    except (TypeError, ValueError, NameError):
        return False
    return True


def _unmarked(hint: Any) -> tuple[Any, bool | None]:
    """Return an annotation without `Required` and the like, and what they say of the field.

    `__required_keys__` misses them where annotations are strings.
    """
    marked: bool | None = None
    while (mark := get_origin(hint)) in _MARKS:
        marked = marked if mark is ReadOnly else mark is Required
        hint = get_args(hint)[0]
    return hint, marked


def _read(hint: Any) -> tuple[Any, bool]:
    """Return an annotation with its description for pydantic, and whether there is a default."""
    if get_origin(hint) is not Annotated:
        return hint, False
    annotation, *metadata = get_args(hint)
    if not isinstance(metadata[-1], str):
        return hint, False
    *others, description = metadata
    told = Field(description=description)
    if len(others) == 1 and isinstance(others[0], _PLAIN):
        return Annotated[annotation, told], others[0] is not ...
    for other in others:
        annotation = Annotated[annotation, other]
    return Annotated[annotation, told], False
