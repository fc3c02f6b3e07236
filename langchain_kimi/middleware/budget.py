"""A budget of steps and tokens for a run."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    hook_config,
)
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, AnyMessage, ToolCall
from langgraph.runtime import Runtime
from typing_extensions import override

from langchain_kimi.context import estimate_messages
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.middleware.history import last_step, refusals, signature, steps, unanswered
from langchain_kimi.middleware.reminders import reminder_message

_LAST_STEP = "This is the last step that the budget allows (used: {account}). "
_ANSWER_NOW = "Do not call tools. Answer now from what you have, and say what is missing."
_FILL_NOW = "Give the structured answer now from what you have."


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may use, from one user message to the answer. None means no limit."""

    steps: int | None = None
    """Model calls of the agent."""

    tokens: int | None = None
    """Tokens of these calls, input and output added up, as the endpoint reports them. What other
    middleware spends on calls of its own, such as a summary, is not counted."""

    def __post_init__(self) -> None:
        """Refuse limits under which no run could start.

        Raises:
            KimiInvalidInputError: When a limit is no whole number, or below 1.
        """
        for name in ("steps", "tokens"):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                msg = f"Budget({name}={value!r}) is no whole number. Give 1 or more, or None."
                raise KimiInvalidInputError(msg)
            if value < 1:
                msg = f"Budget({name}={value!r}) allows no run. Give 1 or more, or None."
                raise KimiInvalidInputError(msg)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a run has used so far."""

    steps: int = 0
    tokens: int = 0
    last_tokens: int = 0

    def is_used_up(self, budget: Budget) -> bool:
        """Say whether no further call is allowed."""
        return _reaches(self.steps, budget.steps) or _reaches(self.tokens, budget.tokens)

    def leaves_one_call(self, budget: Budget) -> bool:
        """Say whether the next call is the last, taking calls to cost what the latest did."""
        tokens = self.tokens + 2 * self.last_tokens
        return _reaches(self.steps + 1, budget.steps) or _reaches(tokens, budget.tokens)

    def account(self, budget: Budget) -> str:
        """Set what was used against each limit."""
        limits = []
        if budget.steps is not None:
            limits.append(f"{self.steps} of {budget.steps} steps")
        if budget.tokens is not None:
            limits.append(f"{self.tokens:,} of {budget.tokens:,} tokens")
        return ", ".join(limits)


class BudgetState(AgentState[Any]):
    """The agent's state with what the run has used; private, kept in checkpoints."""

    budget_spent: NotRequired[Annotated[dict[str, int], PrivateStateAttr]]


BudgetOf = Callable[[Any], Budget | None]


class BudgetMiddleware(AgentMiddleware[BudgetState, Any, Any]):
    """End a run at its budget with a message, not with an exception.

    Before the last call that fits the model is told so and asked to answer without tools. If it
    calls tools all the same, or the limit is overrun, the agent ends with a message that says
    what was used, what was done, and which calls did not run. Counting starts anew with each user
    message; a pause for approval does not reset it.
    """

    state_schema = BudgetState

    def __init__(self, budget: Budget | BudgetOf) -> None:
        """Set the budget, or a function that reads it from the run's context."""
        super().__init__()
        self.budget = budget

    @override
    def before_agent(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Start counting."""
        return {"budget_spent": {}}

    async def abefore_agent(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Start counting."""
        return self.before_agent(state, runtime)

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """End the run when the budget is used up."""
        budget = self._budget(runtime)
        if budget is None or not (spent := _spent(state)).is_used_up(budget):
            return None
        farewell = _farewell(state["messages"], spent.account(budget), [])
        return {"messages": [farewell], "jump_to": "end"}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(
        self, state: BudgetState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """End the run when the budget is used up."""
        return self.before_model(state, runtime)

    @hook_config(can_jump_to=["end"])
    def after_model(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Count the call; end the run when it used up the budget and still asks for tools."""
        budget = self._budget(runtime)
        step = last_step(state["messages"])
        if budget is None or step is None:
            return None
        before = _spent(state)
        cost = _cost(step, state["messages"])
        spent = Spent(steps=before.steps + 1, tokens=before.tokens + cost, last_tokens=cost)
        update: dict[str, Any] = {"budget_spent": asdict(spent)}
        open_calls = unanswered(state["messages"])
        was_last = before.leaves_one_call(budget) or spent.is_used_up(budget)
        if not was_last or not (open_calls or step.invalid_tool_calls):
            return update
        refused = refusals(open_calls, "the budget of the run is used up.")
        farewell = _farewell(state["messages"], spent.account(budget), open_calls)
        return {**update, "messages": [*refused, farewell], "jump_to": "end"}

    @hook_config(can_jump_to=["end"])
    async def aafter_model(
        self, state: BudgetState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """Count the call; end the run when it used up the budget and still asks for tools."""
        return self.after_model(state, runtime)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Tell the model when this is its last step."""
        return handler(self._told(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Tell the model when this is its last step."""
        return await handler(self._told(request))

    def _told(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        budget = self._budget(request.runtime)
        if budget is None:
            return request
        spent = _spent(request.state)
        if not spent.leaves_one_call(budget):
            return request
        advice = _FILL_NOW if request.response_format is not None else _ANSWER_NOW
        note = reminder_message(_LAST_STEP.format(account=spent.account(budget)) + advice)
        return request.override(messages=[*request.messages, note])

    def _budget(self, runtime: Runtime[Any]) -> Budget | None:
        return self.budget(runtime.context) if callable(self.budget) else self.budget


def _reaches(used: int, limit: int | None) -> bool:
    return limit is not None and used >= limit


def _spent(state: Any) -> Spent:
    return Spent(**state.get("budget_spent", {}))


def _cost(step: AIMessage, messages: Sequence[AnyMessage]) -> int:
    """Return the tokens of a call; an estimate when the endpoint reported none."""
    if step.usage_metadata is not None:
        return step.usage_metadata["total_tokens"]
    before = [message for message in messages if message is not step]
    return estimate_messages(before) + estimate_messages([step], preserve_thinking=True)


def _farewell(
    messages: Sequence[AnyMessage], account: str, refused: Sequence[ToolCall]
) -> AIMessage:
    """Say what was used, what was done and what is missing."""
    calls = Counter(call["name"] for step in steps(messages) for call in step.tool_calls)
    calls.subtract(call["name"] for call in refused)
    done = ", ".join(f"{name} ({count})" for name, count in calls.items() if count) or "none"
    not_run = ", ".join(signature(call) for call in refused)
    missing = f" and the results of {not_run}" if not_run else ""
    return AIMessage(
        content=(
            f"Stopped by the budget: {account}. Tool calls that ran: {done}. "
            f"Missing: the final answer{missing}."
        ),
        response_metadata={"stopped_by": "budget"},
    )
