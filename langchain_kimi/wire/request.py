"""From messages to request JSON: the order of the steps."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire import budget
from langchain_kimi.wire.history import Turn, number_calls, pair_results, read_turns
from langchain_kimi.wire.labels import with_labels
from langchain_kimi.wire.media import Content, asset_ids, read_content
from langchain_kimi.wire.response_format import read_response_format
from langchain_kimi.wire.tool_choice import decide_tool_choice
from langchain_kimi.wire.tool_ids import IdRegister, ToolNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_kimi.endpoints import Endpoint
    from langchain_kimi.models import ModelFacts

__all__ = ["Options", "Request", "build_request", "laid_over"]

logger = logging.getLogger(__name__)

TEMPERATURE = {True: 1.0, False: 0.6}
"""Moonshot's recommendation: thinking, instant (Kimi-K2.5 README, section 6)."""
TOP_P = 0.95


@dataclass(kw_only=True, slots=True)
class Options:
    """Everything but the messages that shapes a request."""

    model: str
    facts: ModelFacts
    endpoint: Endpoint
    thinking: bool = True
    preserve_thinking: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: Sequence[str] | None = None
    tools: Sequence[Mapping[str, Any]] = ()
    """Function tools in OpenAI's shape, schemas normalised."""
    tool_choice: str | Mapping[str, Any] | bool | None = None
    parallel_tool_calls: bool | None = None
    response_format: Mapping[str, Any] | None = None
    stream: bool = False
    stream_options: Mapping[str, Any] | None = None
    earlier_ids: Iterable[str] = ()
    """Ids of tool calls that the conversation holds and the messages may not."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Request:
    """A request, and what reading its reply needs to know of it."""

    body: dict[str, Any]
    headers: dict[str, str]
    names: ToolNames
    ids: IdRegister
    thinking: bool
    wants_json: bool = False
    """Whether the answer is JSON."""
    must_call: str | bool = False
    """Whether the reply must call a tool (True) or a certain one (its wire name), which the
    server was not told because it cannot force a tool while the model thinks."""


def build_request(messages: Sequence[BaseMessage], options: Options) -> Request:
    """Build the JSON of a chat completion.

    Args:
        messages: The conversation; left untouched.
        options: Model, endpoint, switches and knobs.

    Raises:
        KimiInvalidInputError: A message, a block or a combination of options cannot be sent.
    """
    _check_thinking(options)
    _check_choices(options)
    tools = [tool["function"]["name"] for tool in options.tools]
    read = read_turns(messages)
    called = [call for turn in read for call in turn.calls]
    names = ToolNames([*tools, *(call.name for call in called)])
    choice = decide_tool_choice(
        options.tool_choice,
        tools=tools,
        names=names,
        thinking=options.thinking,
        facts=options.facts,
    )
    thinking = options.thinking and not choice.needs_instant
    preserve = thinking and _preserves(options)
    has_replies = any(turn.role in {"assistant", "tool"} for turn in read)
    turns = number_calls(pair_results(read), names) if has_replies else read
    answer = read_response_format(
        options.response_format, endpoint=options.endpoint, has_tools=bool(options.tools)
    )
    wired = list(_messages(turns, options.endpoint, thinking=thinking, preserve=preserve))
    assets: list[str] = []
    if any(isinstance(message.get("content"), list) for message in wired):
        wired = [with_labels(message, options.endpoint) for message in wired]
        assets = asset_ids(wired)
    if not wired:
        msg = "there is no message to send; pass at least one with content"
        raise KimiInvalidInputError(msg)
    body: dict[str, Any] = {
        "model": _model_id(options),
        "messages": _instructed(wired, answer.instruction),
    }
    if options.tools:
        body["tools"] = [_aliased(tool, names) for tool in options.tools]
        if choice.value is not None:
            body["tool_choice"] = choice.value
        if options.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = options.parallel_tool_calls
    body |= _sampling(options, thinking=thinking)
    body[options.endpoint.budget_field] = budget.output_tokens(
        body,
        asked=options.max_tokens,
        thinking=thinking,
        context_window=options.facts.context_window,
        limit=options.endpoint.max_output_tokens,
    )
    body |= _switch(options, thinking=thinking, preserve=preserve)
    if answer.field is not None:
        body["response_format"] = answer.field
    if options.stream:
        body["stream"] = True
        if options.stream_options:
            body["stream_options"] = dict(options.stream_options)
    earlier = dict.fromkeys(options.earlier_ids)
    return Request(
        body=laid_over(body, options.extra_body) if options.extra_body else body,
        headers={"NVCF-INPUT-ASSET-REFERENCES": ",".join(assets)} if assets else {},
        names=names,
        ids=IdRegister([*earlier, *(call.id or "" for call in called if call.id not in earlier)]),
        thinking=thinking,
        wants_json=answer.wants_json,
        must_call=choice.must_call,
    )


def _check_thinking(options: Options) -> None:
    facts = options.facts
    if not options.thinking and not facts.can_be_instant:
        msg = f"thinking=False: {facts.name} always thinks; use Kimi K2.5 or K2.6 to switch it off"
        raise KimiInvalidInputError(msg)
    if options.preserve_thinking and facts.preserve_thinking == "never":
        msg = f"preserve_thinking=True: {facts.name} cannot keep older reasoning; K2.6 can"
        raise KimiInvalidInputError(msg)
    template = options.extra_body.get("chat_template_kwargs")
    if "enable_thinking" in options.extra_body or (
        isinstance(template, dict) and "enable_thinking" in template
    ):
        msg = (
            "extra_body holds enable_thinking, which is not Kimi's switch: it turns off only the "
            "server's parser and thoughts leak into content; use thinking=False"
        )
        raise KimiInvalidInputError(msg)


def _check_choices(options: Options) -> None:
    count = options.extra_body.get("n", 1)
    if count != 1:
        msg = f"extra_body holds n={count!r}: a message is one answer; call the model several times"
        raise KimiInvalidInputError(msg)


def _preserves(options: Options) -> bool:
    kept = options.facts.preserve_thinking
    return kept == "always" or (kept == "optional" and options.preserve_thinking)


def _model_id(options: Options) -> str:
    if options.endpoint.bare_model_id:
        return options.model.removeprefix("moonshotai/")
    return options.model


def _aliased(tool: Mapping[str, Any], names: ToolNames) -> dict[str, Any]:
    function = tool["function"]
    return {**tool, "function": {**function, "name": names.alias(function["name"])}}


def _sampling(options: Options, *, thinking: bool) -> dict[str, Any]:
    knobs: dict[str, Any] = {}
    if not options.endpoint.locks_sampling:
        asked = options.temperature
        knobs["temperature"] = TEMPERATURE[thinking] if asked is None else asked
        knobs["top_p"] = TOP_P if options.top_p is None else options.top_p
    elif options.temperature is not None or options.top_p is not None:
        logger.debug(
            "temperature and top_p are fixed at %s and were left out", options.endpoint.name
        )
    if options.seed is not None:
        knobs["seed"] = options.seed
    if options.stop:
        knobs["stop"] = list(options.stop)
    return knobs


def _switch(options: Options, *, thinking: bool, preserve: bool) -> dict[str, Any]:
    optional = options.facts.preserve_thinking == "optional"
    if options.endpoint.thinking_switch == "chat_template_kwargs":
        kwargs = {"thinking": thinking}
        if preserve and optional:
            kwargs["preserve_thinking"] = True
        return {"chat_template_kwargs": kwargs}
    if not options.facts.can_be_instant:
        return {}  # models that always think do not take the switch on Moonshot
    switch: dict[str, Any] = {"type": "enabled" if thinking else "disabled"}
    if preserve and optional:
        switch["keep"] = "all"
    return {"thinking": switch}


def _messages(
    turns: Sequence[Turn], endpoint: Endpoint, *, thinking: bool, preserve: bool
) -> Iterator[dict[str, Any]]:
    """Yield the messages; media of tool results and system messages follow as a user message."""
    loop = _loop_start(turns)
    moved: list[dict[str, Any]] = []
    for position, turn in enumerate(turns):
        if isinstance(turn.content, str) and turn.role != "assistant" and not moved:
            yield _message(turn, turn.content)
            continue
        where = f"messages[{turn.index}]"
        content = read_content(turn.content, where=where, endpoint=endpoint, role=turn.role)
        if turn.role == "user":
            parts = content.for_user()
            if moved:
                parts = [*moved, *content.parts]
                moved = []
            yield _message(turn, parts)
            continue
        if moved and turn.role != "tool":
            yield {"role": "user", "content": moved}
            moved = []
        if turn.role == "assistant":
            think = thinking and (preserve or position >= loop)
            yield _assistant(turn, endpoint.reasoning_fields if think else ())
            continue
        yield _message(turn, content.text() + _moved_note(content))
        moved += _moved(turn, content)
    if moved:
        yield {"role": "user", "content": moved}


def _loop_start(turns: Sequence[Turn]) -> int:
    """Where the running tool loop starts: behind the last assistant turn without calls.

    That is where Kimi's chat template splits; what lies before is rendered without reasoning.
    """
    for position in range(len(turns) - 1, -1, -1):
        if turns[position].role == "assistant" and not turns[position].calls:
            return position + 1
    return 0


def _assistant(turn: Turn, reasoning_fields: Sequence[str]) -> dict[str, Any]:
    text = str(turn.content)
    message: dict[str, Any] = {"role": "assistant"}
    if turn.name:
        message["name"] = turn.name
    # beside tool calls, empty text is left out: Moonshot refuses "text content is empty"
    if text.strip() or not turn.calls:
        message["content"] = text
    for name in reasoning_fields:
        message[name] = turn.reasoning or ""
    if turn.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in turn.calls
        ]
    return message


def _message(turn: Turn, content: str | list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": content}
    if turn.name:
        message["name"] = turn.name
    if turn.tool_call_id is not None:
        message["tool_call_id"] = turn.tool_call_id
    return message


def _moved_note(content: Content) -> str:
    count = len(content.media)
    if not count:
        return ""
    lead = "\n" if content.text() else ""
    return f"{lead}[{count} attached: see the next user message]"


def _moved(turn: Turn, content: Content) -> list[dict[str, Any]]:
    if not content.media:
        return []
    source = f"the result of {turn.tool_call_id}" if turn.tool_call_id else "the system message"
    return [{"type": "text", "text": f"Attached media from {source}:"}, *content.moving]


def _instructed(messages: list[dict[str, Any]], instruction: str | None) -> list[dict[str, Any]]:
    """Say it in the system message, which stands first and stays the same from call to call."""
    if instruction is None:
        return messages
    first = messages[0]
    if first["role"] == "system":
        return [{**first, "content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def laid_over(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay later layers over earlier ones, objects field by field.

    So `thinking.keep` of the caller stands beside `thinking.type` of the request.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = merged.get(key)
            if isinstance(old, dict) and isinstance(value, dict):
                merged[key] = laid_over(old, value)
            else:
                merged[key] = value
    return merged
