"""What `tool_choice` becomes, given that Kimi cannot be forced while it thinks.

Moonshot refuses it (`tool_choice 'required' is incompatible with thinking enabled`), a forced call
on vLLM loses the reasoning (vLLM #43155) and elsewhere it has ended in a 500. So a forced call is
made without thinking; a model that always thinks gets `auto` and its reply is checked. K3 takes
`required` while it thinks but ignores a named tool, so a name becomes `required` and a check.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from langchain_kimi.models import ModelFacts
    from langchain_kimi.wire.tool_ids import ToolNames

__all__ = ["ToolChoice", "decide_tool_choice"]


@dataclass(kw_only=True, slots=True)
class ToolChoice:
    """The decision."""

    value: str | dict[str, Any] | None = None
    """What goes into the request, None to leave it out."""
    needs_instant: bool = False
    """Whether this call is made without thinking."""
    must_call: str | bool = False
    """A check of the reply: True for any tool, a wire name for that one."""


def decide_tool_choice(
    choice: str | Mapping[str, Any] | bool | None,
    *,
    tools: Collection[str],
    names: ToolNames,
    thinking: bool,
    facts: ModelFacts,
) -> ToolChoice:
    """Translate langchain's `tool_choice`.

    Args:
        choice: None, `auto`, `none`, `any`, `required`, True, False, a tool's name, or
            `{"type": "function", "function": {"name": …}}`.
        tools: The names of the tools that the request declares.
        names: Maps them to their wire names.
        thinking: Whether thinking is asked for.
        facts: The model's row.

    Raises:
        KimiInvalidInputError: The name is no tool of the request, a call is forced where no tool
            is declared, or the value is none of these.
    """
    if choice is None or choice is False:
        return ToolChoice()
    if choice in ("auto", "none"):
        return ToolChoice(value=str(choice))
    name = _named(choice, tools, names)
    value: str | dict[str, Any] = (
        {"type": "function", "function": {"name": name}} if name else "required"
    )
    if not thinking:
        return ToolChoice(value=value)
    if facts.forced_tool_choice:
        return ToolChoice(value="required", must_call=name or False)
    if facts.can_be_instant:
        return ToolChoice(value=value, needs_instant=True)
    return ToolChoice(value="auto", must_call=name or True)


def _named(
    choice: str | Mapping[str, Any] | bool, tools: Collection[str], names: ToolNames
) -> str | None:
    if tools and (choice is True or choice in ("any", "required")):
        return None
    name: Any = choice
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
    if name not in tools:
        known = ", ".join(tools) or "none"
        msg = (
            f"tool_choice={choice!r} names no tool of this request (tools: {known}); "
            "use 'auto', 'none', 'any' or one of them"
        )
        raise KimiInvalidInputError(msg)
    return names.alias(str(name))
