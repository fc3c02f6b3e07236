"""Tool calls as they arrive: in one piece, in fragments, interleaved, without id, index or name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import InvalidToolCall, ToolCall, ToolCallChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk

from langchain_kimi.wire.arguments import ArgumentStream, parse_arguments
from langchain_kimi.wire.markers import RawCall, read_header
from langchain_kimi.wire.shape import MalformedReplyError, function_of, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_kimi.wire.tool_ids import IdRegister, ToolNames

__all__ = ["CallReader"]

NO_NAME = "the server sent a tool call without a name"
CUT = "the reply was cut before the call was complete"


@dataclass(eq=False, slots=True)
class _Call:
    position: int
    name: str | None = None
    received_id: str | None = None
    id: str | None = None
    """Set once the call is announced, when its name is known."""
    arguments: ArgumentStream = field(default_factory=ArgumentStream)
    cut: bool = False
    """Whether the reply ended before the call did."""
    reason: str | None = None


class CallReader:
    """Puts fragments together to calls, in the order in which the calls began.

    Args:
        names: Maps wire names back to the caller's.
        ids: Makes received ids unique in the conversation.
    """

    def __init__(self, names: ToolNames, ids: IdRegister) -> None:
        self._names = names
        self._ids = ids
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, list[_Call]] = {}
        self._latest: _Call | None = None  # of those that came as fragments
        self._announced = 0

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def called(self) -> list[str]:
        """The wire names called so far."""
        return [self._names.alias(call.name) for call in self._calls if call.name]

    def feed(self, fragment: Mapping[str, Any], index: int | None = None) -> list[ToolCallChunk]:
        """Read one element of `tool_calls`.

        Args:
            fragment: A call, or a piece of one.
            index: Its position where the reply came whole; a fragment carries its own, or none.

        Raises:
            MalformedReplyError: It is no call.
        """
        name, arguments = function_of(fragment)
        received_id = word(fragment, "id")
        if index is None:
            index = fragment.get("index")
        call = self._route(index, received_id, name)
        if received_id and call.received_id is None:
            call.received_id = received_id
            self._by_id.setdefault(received_id, []).append(call)
        if name and call.name is None:
            call.name = self._names.original(name)
        return self._pass_on(call, call.arguments.feed(_as_text(arguments)))

    def feed_raw(self, raw: RawCall) -> list[ToolCallChunk]:
        """Read a call that was found in the markup."""
        name, received_id = read_header(raw.header, self._names.aliases)
        call = self._new()
        call.name = self._names.original(name) if name else None
        call.received_id = received_id
        call.cut = not raw.closed and not raw.arguments.strip()
        return self._pass_on(call, call.arguments.feed(raw.arguments))

    def finish(self, *, out_of_budget: bool = False) -> list[ToolCallChunk]:
        """Read the end: what is not valid is broken for good, with its reason.

        Args:
            out_of_budget: The token budget ended the reply, so that a call whose arguments have
                not begun is no call without arguments.
        """
        chunks = []
        for call in self._calls:
            piece, call.reason = call.arguments.finish()
            call.cut = call.cut or (out_of_budget and not call.arguments.text().strip())
            if call.name is None or (call.cut and call.reason is None):
                piece = call.arguments.break_off()
                call.reason = NO_NAME if call.name is None else CUT
            if call.id is None:
                chunks.append(self._announce(call, call.arguments.passed_on() + piece))
            elif piece:
                chunks.append(self._chunk(call, piece))
        return chunks

    def results(self, *, cut: bool = False) -> tuple[list[ToolCall], list[InvalidToolCall]]:
        """List the calls.

        Args:
            cut: The reply was cut: no call of it is valid, as nobody knows what would follow.

        Returns:
            The valid calls, and the others with their reasons.
        """
        valid, invalid = [], []
        for call in self._calls:
            arguments, reason = parse_arguments(call.arguments.text())
            reason = CUT if cut or call.cut else (NO_NAME if call.name is None else reason)
            if reason is None:
                valid.append(tool_call(name=call.name or "", args=arguments or {}, id=call.id))
            else:
                text = call.arguments.text()
                invalid.append(
                    invalid_tool_call(name=call.name, args=text, id=call.id, error=reason)
                )
        return valid, invalid

    def reasons(self) -> dict[str, str]:
        """Map the ids of the calls that are not valid to the reasons, after `finish`."""
        return {call.id or "": call.reason for call in self._calls if call.reason}

    def _route(self, index: Any, received_id: str | None, name: str | None) -> _Call:
        """Find the call that a fragment belongs to, or begin one; never one from the markup."""
        if isinstance(index, int):
            call = self._by_index.get(index)
            # a server that numbers every parallel call 0: a new id with a name is a new call
            if call is None or (
                name and received_id and call.received_id and received_id != call.received_id
            ):
                call = self._by_index[index] = self._latest = self._new()
            return call
        same_id = self._by_id.get(received_id, []) if received_id else []
        while name and same_id and same_id[-1].name:
            same_id.pop()  # a second name under one id is a second call: some servers repeat ids
        if same_id:
            return same_id[-1]
        last = self._latest
        goes_on = last is not None and received_id in {None, last.received_id}
        if last is None or not goes_on or (name and last.name):
            self._latest = last = self._new()
        return last

    def _new(self) -> _Call:
        call = _Call(position=len(self._calls))
        self._calls.append(call)
        return call

    def _pass_on(self, call: _Call, piece: str) -> list[ToolCallChunk]:
        """Pass on a piece of a call, or announce the calls whose turn has come.

        They are announced in the order in which they began, which is the order that merging
        gives them: one whose name is late holds back those behind it.
        """
        if call.id is not None:
            return [self._chunk(call, piece)] if piece else []
        chunks = []
        while self._announced < len(self._calls):
            waiting = self._calls[self._announced]
            if waiting.name is None:
                break  # arguments before the name: they wait in the ArgumentStream
            chunks.append(self._announce(waiting, waiting.arguments.passed_on()))
        return chunks

    def _announce(self, call: _Call, arguments: str) -> ToolCallChunk:
        self._announced += 1
        name = self._names.alias(call.name) if call.name else "unknown"
        call.id = self._ids.claim(call.received_id, name)
        return self._chunk(call, arguments, announce=True)

    @staticmethod
    def _chunk(call: _Call, piece: str, *, announce: bool = False) -> ToolCallChunk:
        return tool_call_chunk(
            name=call.name if announce else None,
            args=piece,
            id=call.id if announce else None,
            index=call.position,
        )


def _as_text(arguments: Any) -> str:
    """Write arguments as the text that a server should have sent."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    try:
        return json.dumps(arguments, ensure_ascii=False)
    except RecursionError:
        raise MalformedReplyError(
            place="a tool call's arguments", value=arguments, needed="less nesting"
        ) from None
