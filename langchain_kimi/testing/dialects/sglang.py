"""SGLang (0.5.23 with the kimi_k2 parsers)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from http import HTTPStatus
from typing import ClassVar

from langchain_kimi.testing.checks import sglang
from langchain_kimi.testing.dialects.base import Dialect, ErrorBody, Json, dumps, pieces
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.reply import Reply, Usage, WireCall
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings

END_OF_TURN = 163_586


class Sglang(Dialect):
    """Every delta has all keys; a tool call's name comes first, without arguments."""

    name: ClassVar[str] = "sglang"
    owner: ClassVar[str] = "sglang"
    models: ClassVar[tuple[str, ...]] = ("moonshotai/kimi-k2.6", "moonshotai/Kimi-K2.6")

    def check(self, request: ChatRequest, settings: Settings, _uploads: Container[str]) -> None:
        """Refuse what SGLang refuses."""
        sglang.check(request, settings)

    def error_body(self, refusal: Refusal) -> ErrorBody:
        """A flat error object; 401 is as vLLM's."""
        if refusal.status == 401:
            return ErrorBody(dumps({"error": "Unauthorized"}), {})
        fields = {
            "object": "error",
            "message": refusal.message or HTTPStatus(refusal.status).phrase,
            "type": refusal.kind
            or ("BadRequest" if refusal.status < 500 else "InternalServerError"),
            "param": refusal.param,
            "code": refusal.status,
        }
        return ErrorBody(dumps(fields), {})

    def usage(self, usage: Usage) -> Json:
        """Reasoning tokens stand beside the others."""
        return {
            "prompt_tokens": usage.prompt,
            "total_tokens": usage.total,
            "completion_tokens": usage.completion,
            "prompt_tokens_details": None,
            "reasoning_tokens": usage.reasoning,
        }

    def message(self, reply: Reply) -> Json:
        """Write every field, also the empty ones."""
        return {
            "role": "assistant",
            "content": reply.text("content"),
            "reasoning_content": reply.text("reasoning"),
            "tool_calls": self._whole_calls(reply) or None,
        }

    def completion(self, reply: Reply) -> Json:
        """Name the token that ended the reply."""
        body = super().completion(reply)
        body["choices"][0] |= {"logprobs": None, "matched_stop": END_OF_TURN}
        return {**body, "metadata": {"weight_version": "default"}}

    def chunk(self, reply: Reply, choices: list[Json]) -> Json:
        """Every chunk has a usage field."""
        return {**super().chunk(reply, choices), "usage": None}

    def choice(self, delta: Json, finish_reason: str | None = None) -> Json:
        """Every delta has all four keys."""
        full = {"role": None, "content": None, "reasoning_content": None, "tool_calls": None}
        return {
            "index": 0,
            "delta": full | delta,
            "logprobs": None,
            "finish_reason": finish_reason,
            "matched_stop": END_OF_TURN if finish_reason == "stop" else None,
        }

    def whole_call(self, call: WireCall) -> Json:
        """Unstreamed calls carry an index too."""
        return {**super().whole_call(call), "index": call.index}

    def call_deltas(self, call: WireCall, size: int | None) -> Iterator[Json]:
        """The name first with empty arguments, then the arguments."""
        yield {
            "id": call.id,
            "index": call.index,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        for piece in pieces(call.arguments, size):
            yield {
                "id": None,
                "index": call.index,
                "type": "function",
                "function": {"name": None, "arguments": piece},
            }
