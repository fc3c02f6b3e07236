"""From reply JSON to messages: one assembler for whole replies and for streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

from langchain_kimi.errors import (
    KimiContentFilterError,
    KimiEmptyReplyError,
    KimiServerError,
    KimiToolChoiceError,
    KimiTruncatedStreamError,
    from_event,
)
from langchain_kimi.wire.calls import CallReader
from langchain_kimi.wire.json_answer import JsonFilter
from langchain_kimi.wire.markers import MarkerScanner, RawCall
from langchain_kimi.wire.reasoning import KEY, read_reasoning
from langchain_kimi.wire.shape import (
    MalformedReplyError,
    calls_of,
    content_of,
    first_choice,
    message_of,
    word,
)
from langchain_kimi.wire.usage import read_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.messages.tool import ToolCallChunk

    from langchain_kimi.endpoints import Endpoint
    from langchain_kimi.wire.markers import Span
    from langchain_kimi.wire.request import Request

__all__ = ["PROVIDER", "Assembler", "Delta", "carries_output", "read_reply"]

PROVIDER = "kimi"
"""`response_metadata["model_provider"]`, under which the block translator is registered."""
REASONS_KEY = "invalid_tool_call_errors"
"""`response_metadata` key: ids of invalid calls to reasons. Merging chunks drops
`invalid_tool_calls[…]["error"]`, so streamed messages keep the reasons here."""


_ABOUT = (("model", "model_name"), ("id", "id"), ("system_fingerprint", "system_fingerprint"))
"""What a reply says about itself, and its `response_metadata` key."""

_FAILED = frozenset({"abort", "error"})
"""Finish reasons of vLLM, SGLang and gateways for a generation that was given up."""


@dataclass(slots=True)
class Delta:
    """What one event adds to the reply."""

    text: str = ""
    reasoning: str | None = None
    calls: list[ToolCallChunk] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.text or self.calls) or self.reasoning is not None


def carries_output(event: Mapping[str, Any]) -> bool:
    """Whether a stream event holds a first token or the finish: then nothing is sent again.

    So does a malformed event, which ends the reply when it is read.
    """
    try:
        choice = first_choice(event)
        if choice is None:
            return False
        said, _ = message_of(choice)
        return bool(
            (word(choice, "finish_reason") or "abort") not in _FAILED
            or said.get("content")
            or said.get("tool_calls")
            or read_reasoning(said)
        )
    except MalformedReplyError:
        return True


class Assembler:
    """Reads the events of one reply.

    Args:
        request: The request that is answered.
        endpoint: Where it was sent.
        await_think_end: Hold content back until `</think>`, see `MarkerScanner`.
    """

    def __init__(
        self, request: Request, endpoint: Endpoint, *, await_think_end: bool = False
    ) -> None:
        self._request = request
        self._endpoint = endpoint
        calls = bool(request.names.aliases)
        self._content = MarkerScanner("content", await_think_end=await_think_end, calls=calls)
        self._thoughts = MarkerScanner("reasoning", calls=calls)
        self.has_parser = False
        """Whether thoughts came in a field of their own."""
        self._json = JsonFilter() if request.wants_json else None
        self._calls = CallReader(request.names, request.ids)
        self._text: list[str] = []
        self._reasoning: list[str] | None = None
        self._about: dict[str, Any] = {}
        self._index: Any = None  # of the one choice that is read
        self.finish_reason: str | None = None
        self.usage: UsageMetadata | None = None
        self._finished = False

    @property
    def stray_think_end(self) -> bool:
        """Whether thoughts came as content, for want of a reasoning parser."""
        return self._content.stray_think_end and self._request.thinking and not self.has_parser

    def feed(self, event: Mapping[str, Any]) -> Delta:
        """Read an event, return what it adds.

        Raises:
            KimiServerError: The event is an error, or malformed.
        """
        added = Delta()
        try:
            self._read(event, added)
        except MalformedReplyError as error:
            self._keep(added)
            msg = (
                f"the server's reply is malformed: {error}; .partial holds what could be read. "
                "Try again, or look into the log of the server or gateway"
            )
            raise KimiServerError(
                msg, endpoint=self._endpoint.name, partial=self.partial()
            ) from None
        kept = self._keep(added)
        if event.get("error"):
            failure = from_event(event, self._endpoint.name)
            failure.partial = self.partial()
            raise failure
        return kept

    def _read(self, event: Mapping[str, Any], added: Delta) -> None:
        if event.get("usage") or "model_name" not in self._about:
            self._note(event)
        choice = first_choice(event, self._index)
        if choice is None:
            _refuse_failure(event, self._endpoint)
            return
        if self._index is None:
            self._index = choice.get("index")
        self.finish_reason = word(choice, "finish_reason") or self.finish_reason
        if choice.get("usage"):
            self.usage = read_usage(event) or self.usage
        said, whole = message_of(choice)
        thoughts = read_reasoning(said)
        if thoughts is not None:
            added.reasoning = ""
            self._sort(self._thoughts.feed(thoughts), added)
            if thoughts:
                self.has_parser = True
                self._sort(self._content.stop_waiting(), added)
        content = content_of(said)
        if content:
            self._sort(self._content.feed(content), added)
        for position, fragment in enumerate(calls_of(said)):
            added.calls += self._calls.feed(fragment, position if whole else None)

    def finish(self) -> Delta:
        """Read the end of the reply, return what was held back."""
        added = Delta()
        self._finished = True
        self._sort(self._thoughts.finish(), added)
        self._sort(self._content.finish(), added)
        if self._json:
            added.text += self._json.finish()
        added.calls += self._calls.finish(out_of_budget=self.finish_reason == "length")
        return self._keep(added)

    def check(self, *, done: bool, may_be_empty: bool) -> None:
        """Refuse replies that are none, after `finish`.

        Args:
            done: The server said that the reply is complete (`[DONE]`, or it came whole).
            may_be_empty: A stop sequence may have ended the reply before its first word.

        Raises:
            KimiTruncatedStreamError: The stream ended in the middle.
            KimiContentFilterError: The server withheld the answer.
            KimiServerError: The server says that it failed.
            KimiEmptyReplyError: There is neither answer nor call.
            KimiToolChoiceError: A tool had to be called and was not.
        """
        name = self._endpoint.name
        if not done and self.finish_reason is None:
            msg = (
                "the stream ended without a finish reason: the reply was cut, "
                "and .partial holds what had arrived; try again"
            )
            raise KimiTruncatedStreamError(msg, endpoint=name, partial=self.partial())
        if self.finish_reason == "content_filter":
            msg = "the server's content filter ended the reply; .partial holds what it let through"
            raise KimiContentFilterError(msg, endpoint=name, partial=self.partial())
        if self.finish_reason in _FAILED:
            msg = (
                f"the server gave up in the middle of its reply (finish_reason "
                f"{self.finish_reason!r}); .partial holds what had arrived; try again"
            )
            raise KimiServerError(msg, endpoint=name, partial=self.partial())
        empty = not len(self._calls) and not "".join(self._text).strip()
        if empty and not (may_be_empty and self.finish_reason == "stop"):
            raise KimiEmptyReplyError(self._why_empty(), endpoint=name, partial=self.message())
        must_call = self._request.must_call
        called = self._calls.called
        if must_call and not (must_call in called if isinstance(must_call, str) else called):
            what = repr(must_call) if isinstance(must_call, str) else "a tool"
            msg = (
                f"the model had to call {what} and did not: it cannot be forced while it thinks; "
                "try again, or use a model that can answer without thinking"
            )
            raise KimiToolChoiceError(msg, endpoint=name, partial=self.message())

    def message(self, *, cut: bool = False) -> AIMessage:
        """Build the whole message.

        Args:
            cut: The reply was cut; none of its tool calls is valid.
        """
        calls, invalid = self._calls.results(cut=cut)
        return AIMessage(
            content="".join(self._text),
            additional_kwargs={} if self._reasoning is None else {KEY: "".join(self._reasoning)},
            tool_calls=calls,
            invalid_tool_calls=invalid,
            usage_metadata=self.usage,
            response_metadata={"model_provider": PROVIDER, **self.metadata()},
        )

    def partial(self) -> AIMessage:
        """Build the message of a reply that failed, with what was still held back."""
        if not self._finished:
            self.finish()
        return self.message(cut=True)

    def metadata(self) -> dict[str, Any]:
        """What is known of the reply as a whole, for `response_metadata`."""
        reason = self.finish_reason
        if len(self._calls) and reason in {None, "stop"}:
            reason = "tool_calls"  # forced calls end in `stop` on vLLM
        known = {**self._about, "finish_reason": reason}
        if reasons := self._calls.reasons():
            known[REASONS_KEY] = reasons
        return known

    def _note(self, event: Mapping[str, Any]) -> None:
        self.usage = read_usage(event) or self.usage
        for key, name in _ABOUT:
            if value := word(event, key):
                self._about[name] = value

    def _sort(self, pieces: list[Span | RawCall], added: Delta) -> None:
        text: list[str] = []
        thoughts: list[str] = []
        for piece in pieces:
            if isinstance(piece, RawCall):
                added.calls += self._calls.feed_raw(piece)
            elif piece.kind == "text":
                text.append(self._json.feed(piece.text) if self._json else piece.text)
            else:
                thoughts.append(piece.text)
        if text:
            added.text += "".join(text)
        if thoughts:
            added.reasoning = (added.reasoning or "") + "".join(thoughts)

    def _keep(self, added: Delta) -> Delta:
        if len(added.calls) > 1:
            added.calls = _joined(added.calls)
        if added.text:
            self._text.append(added.text)
        if added.reasoning is not None:
            self._reasoning = self._reasoning or []
            self._reasoning.append(added.reasoning)
        return added

    def _why_empty(self) -> str:
        if self.finish_reason == "length":
            return (
                "the token budget was used up before an answer began (reasoning spends the same "
                "budget); raise max_completion_tokens or set thinking=False"
            )
        return (
            f"the reply holds neither an answer nor a tool call (finish_reason "
            f"{self.finish_reason!r}); try again"
        )


def read_reply(
    data: Mapping[str, Any], request: Request, endpoint: Endpoint, *, may_be_empty: bool
) -> tuple[AIMessage, Assembler]:
    """Read a reply that came whole.

    Returns:
        The message, and what read it.

    Raises:
        KimiError: See `Assembler.check`.
    """
    unparsed = endpoint.unparsed_thinking and request.thinking
    unparsed = unparsed and not (request.wants_json and _begins_as_json(data))
    assembler = Assembler(request, endpoint, await_think_end=unparsed)
    assembler.feed(data)
    assembler.finish()
    assembler.check(done=True, may_be_empty=may_be_empty)
    return assembler.message(), assembler


def _joined(calls: list[ToolCallChunk]) -> list[ToolCallChunk]:
    """Join the pieces of each call: core merges the calls of two chunks, not those of one."""
    pieces: dict[int | None, list[ToolCallChunk]] = {}
    for call in calls:
        pieces.setdefault(call["index"], []).append(call)
    return [
        {**first, "args": "".join(str(piece["args"]) for piece in (first, *rest))}
        for first, *rest in pieces.values()
    ]


def _begins_as_json(data: Mapping[str, Any]) -> bool:
    """Whether a reply begins as the answer that was asked for: then it holds no stray thoughts."""
    try:
        choice = first_choice(data)
        content = content_of(message_of(choice)[0]) if choice else ""
    except MalformedReplyError:
        return False  # it is refused when it is read
    return content.lstrip().startswith(("{", "["))


def _refuse_failure(event: Mapping[str, Any], endpoint: Endpoint) -> None:
    """Raise what a reply or an event without choices says to have gone wrong.

    Either an error object, or a problem as NVIDIA writes it (`{"status", "title", "detail"}`).
    """
    status = event.get("status")
    is_problem = isinstance(status, int) and status >= 400
    if event.get("error") or event.get("object") == "error" or is_problem:
        raise from_event(event, endpoint.name)
