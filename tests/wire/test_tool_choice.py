"""What a tool choice becomes on a model that cannot be forced while it thinks."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.models import MODELS, facts_of
from langchain_kimi.wire.tool_choice import ToolChoice, decide_tool_choice
from langchain_kimi.wire.tool_ids import ToolNames

from .conversations import K3, K26, K27, call, result
from .replies import request

TOOLS = ["f", "db.find"]
NAMED = {"type": "function", "function": {"name": "db_find"}}


def decide(choice: Any, model: str = K26, *, thinking: bool = True) -> ToolChoice:
    return decide_tool_choice(
        choice, tools=TOOLS, names=ToolNames(TOOLS), thinking=thinking, facts=facts_of(model)
    )


@pytest.mark.parametrize("choice", [None, False])
def test_no_choice_is_left_out(choice: Any) -> None:
    assert decide(choice) == ToolChoice()


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_free_choice_lets_the_model_think(choice: str) -> None:
    assert decide(choice) == ToolChoice(value=choice)


@pytest.mark.parametrize("choice", ["any", "required", True])
def test_any_tool(choice: Any) -> None:
    assert decide(choice) == ToolChoice(value="required", needs_instant=True)
    assert decide(choice, thinking=False) == ToolChoice(value="required")
    assert decide(choice, K27) == ToolChoice(value="auto", must_call=True)
    assert decide(choice, K3) == ToolChoice(value="required")


@pytest.mark.parametrize(
    "choice",
    ["db.find", {"type": "function", "function": {"name": "db.find"}}, {"name": "db.find"}],
)
def test_a_certain_tool(choice: Any) -> None:
    assert decide(choice) == ToolChoice(value=NAMED, needs_instant=True)
    assert decide(choice, thinking=False) == ToolChoice(value=NAMED)
    assert decide(choice, K27) == ToolChoice(value="auto", must_call="db_find")
    assert decide(choice, K3) == ToolChoice(value="required", must_call="db_find")


@pytest.mark.parametrize("model", MODELS)
def test_no_model_is_forced_by_name_while_it_thinks(model: str) -> None:
    choice = decide("f", model)

    assert choice.needs_instant == facts_of(model).can_be_instant
    assert choice.needs_instant or choice.must_call == "f"


@pytest.mark.parametrize(
    "choice", ["unheard_of", "", {"type": "function"}, {}, {"function": {"name": None}}, 1, []]
)
def test_a_choice_that_names_no_tool(choice: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"names no tool of this request.*f, db\.find"):
        decide(choice)


def test_a_tool_that_only_history_knows_cannot_be_chosen() -> None:
    messages = [
        HumanMessage("Go."),
        AIMessage("", tool_calls=[call("a", "old")]),
        result("a", "x"),
    ]

    with pytest.raises(KimiInvalidInputError, match=r"'old' names no tool"):
        request(*messages, tool_choice="old")


@pytest.mark.parametrize("choice", ["any", "required", True, "f"])
def test_a_call_cannot_be_forced_where_there_is_no_tool(choice: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"tools: none"):
        request(tools=(), tool_choice=choice)


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_a_free_choice_without_tools_is_left_out(choice: str | None) -> None:
    assert "tool_choice" not in request(tools=(), tool_choice=choice).body
