"""The first three checks: reachable, authorised, and the model there."""

from langchain_core.messages import AIMessage

from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.cli.errors import error_line
from langchain_kimi.cli.findings import Finding, Result, no, not_tested, yes
from langchain_kimi.errors import (
    KimiAuthenticationError,
    KimiConnectionError,
    KimiEmptyReplyError,
    KimiError,
    KimiModelRetiredError,
    KimiPermissionDeniedError,
    KimiQuotaExceededError,
    KimiTimeoutError,
)

GATE = ("reachable", "authorised", "model")
BUDGET_TOKENS = 4_096

_REFUSED = (KimiAuthenticationError, KimiPermissionDeniedError, KimiQuotaExceededError)
_SILENT = (KimiConnectionError, KimiTimeoutError)


def pass_gate(llm: ChatKimi) -> tuple[list[Finding], AIMessage | None]:
    """Make a first call.

    Returns:
        The findings, and the first reply, or None when there is nothing more to ask.
    """
    listed, problem = _listed(llm)
    try:
        first = llm.bind(max_completion_tokens=BUDGET_TOKENS).invoke("Reply with the word: ready")
    except KimiEmptyReplyError as error:
        first = error.partial or AIMessage("")
    except KimiError as error:
        return _refusal(error, llm, listed, problem), None
    answered = "it listed its models" if listed is not None else "it answered a chat request"
    results = [yes(answered), yes(_let_in(llm)), yes(_place(llm.model, listed))]
    return _named(*results), first


def _listed(llm: ChatKimi) -> tuple[list[str] | None, KimiError | None]:
    """Return the ids that the endpoint lists; some list without looking at the key."""
    try:
        models = llm.transport.get("/models").data.get("data", [])
    except KimiError as error:
        return None, error
    return [str(model.get("id")) for model in models if isinstance(model, dict)], None


def _refusal(
    error: KimiError, llm: ChatKimi, listed: list[str] | None, problem: KimiError | None
) -> list[Finding]:
    line = error_line(error)
    reached = yes("it listed its models" if listed is not None else "it answered")
    if isinstance(error, KimiAuthenticationError) and error.status is None:
        unknown = not_tested("no request was made")
        return _named(unknown, no(line), unknown)
    if isinstance(error, _REFUSED):
        return _named(reached, no(line), not_tested("the key was refused"))
    if isinstance(error, _SILENT):
        silent = listed is None and isinstance(problem, _SILENT)
        rest = not_tested("it did not answer")
        return _named(no(line), rest, rest) if silent else _named(reached, rest, no(line))
    retired = "retired: " if isinstance(error, KimiModelRetiredError) else ""
    reason = f"{retired}{line} ({_place(llm.model, listed)})"
    return _named(reached, yes(_let_in(llm)), no(reason))


def _let_in(llm: ChatKimi) -> str:
    return "the key was accepted" if llm.api_key else "no key is set, and it asked for none"


def _place(model: str, listed: list[str] | None) -> str:
    if not listed:
        return "the endpoint lists no models"
    name = model.rpartition("/")[2]
    is_there = any(id_ == model or id_.rpartition("/")[2] == name for id_ in listed)
    return f"{model} is {'' if is_there else 'not '}among the {len(listed)} models listed"


def _named(*results: Result) -> list[Finding]:
    return [Finding(name, result) for name, result in zip(GATE, results, strict=True)]
