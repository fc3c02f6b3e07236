"""vLLM (0.33 with the kimi_k2 parsers); self-hosted NIM is backed by it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from http import HTTPStatus
from typing import ClassVar

from langchain_kimi.testing.checks import vllm
from langchain_kimi.testing.dialects.base import Dialect, ErrorBody, Json, dumps
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.reply import Reply, Step, Text, Usage
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings

KINDS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
}


class Vllm(Dialect):
    """The reasoning field is ``reasoning``; unknown fields are ignored silently."""

    name: ClassVar[str] = "vllm"
    owner: ClassVar[str] = "vllm"
    reasoning_field: ClassVar[str] = "reasoning"
    models: ClassVar[tuple[str, ...]] = (
        "moonshotai/kimi-k2.6",
        "moonshotai/Kimi-K2.6",
        "moonshotai/Kimi-K2.5",
        "moonshotai/Kimi-K2-Thinking",
        "moonshotai/Kimi-K2.7-Code",
        "moonshotai/Kimi-K3",
    )

    def check(self, request: ChatRequest, settings: Settings, _uploads: Container[str]) -> None:
        """Refuse what vLLM refuses."""
        vllm.check(request, settings)

    def adapted(self, steps: Sequence[Step], request: ChatRequest) -> list[Step]:
        """Leak thoughts when only the parser is off; a forced call has content ``""``."""
        if _only_parser_off(request):
            return _leaked(steps)
        if request.named_tool and not any(_is_content(step) for step in steps):
            return [*steps, Text("content", "")]
        return list(steps)

    def finish_reason(self, reason: str, request: ChatRequest) -> str:
        """A call forced by name ends with ``stop``."""
        return "stop" if request.named_tool and reason == "tool_calls" else reason

    def error_body(self, refusal: Refusal) -> ErrorBody:
        """``{"error": {message, type, param, code}}``; 401 has a bare string."""
        if refusal.status == 401:
            return ErrorBody(dumps({"error": "Unauthorized"}), {})
        kind = refusal.kind or KINDS.get(
            refusal.status, KINDS[500 if refusal.status >= 500 else 400]
        )
        fields = {
            "message": refusal.message or HTTPStatus(refusal.status).phrase,
            "type": kind,
            "param": refusal.param,
            "code": refusal.status,
        }
        return ErrorBody(dumps({"error": fields}), {})

    def usage(self, usage: Usage) -> Json:
        """Reasoning tokens are in completion_tokens_details; cache details are off."""
        return {
            "prompt_tokens": usage.prompt,
            "total_tokens": usage.total,
            "completion_tokens": usage.completion,
            "prompt_tokens_details": None,
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        }

    def message(self, reply: Reply) -> Json:
        """Write every field, also the empty ones."""
        return {
            "role": "assistant",
            "content": reply.text("content"),
            "refusal": None,
            "annotations": None,
            "audio": None,
            "function_call": None,
            "tool_calls": self._whole_calls(reply),
            "reasoning": reply.text("reasoning"),
        }

    def completion(self, reply: Reply) -> Json:
        """Write every field, also the empty ones."""
        return {
            **self.head(reply, "chat.completion"),
            "choices": [
                {
                    "index": 0,
                    "message": self.message(reply),
                    "logprobs": None,
                    "finish_reason": reply.finish_reason,
                    "stop_reason": None,
                    "token_ids": None,
                }
            ],
            "service_tier": None,
            "system_fingerprint": reply.fingerprint,
            "usage": self.usage(reply.usage),
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "kv_transfer_params": None,
        }

    def chunk(self, reply: Reply, choices: list[Json]) -> Json:
        """The first chunk alone carries prompt_token_ids."""
        chunk = super().chunk(reply, choices)
        if choices and "role" in choices[0]["delta"]:
            chunk["prompt_token_ids"] = None
        return chunk

    def choice(self, delta: Json, finish_reason: str | None = None) -> Json:
        """Write logprobs and token_ids with every delta."""
        choice: Json = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        if finish_reason is not None:
            choice["stop_reason"] = None
        return {**choice, "token_ids": None}

    def model_list(self, settings: Settings, created: int) -> Json:
        """Write vLLM's extra fields, max_model_len among them."""
        listing = super().model_list(settings, created)
        for model in listing["data"]:
            model |= {
                "root": model["id"],
                "parent": None,
                "max_model_len": settings.context_window,
                "permission": [],
            }
        return listing


def _only_parser_off(request: ChatRequest) -> bool:
    """``enable_thinking`` and ``reasoning_effort`` reach the parser, not the template."""
    if request.template_switches.get("enable_thinking") is False:
        return True
    return request.body.get("reasoning_effort") == "none"


def _is_content(step: Step) -> bool:
    return isinstance(step, Text) and step.kind == "content"


def _leaked(steps: Sequence[Step]) -> list[Step]:
    """Turn reasoning into content, with the tag that ends it."""
    thoughts = [n for n, s in enumerate(steps) if isinstance(s, Text) and s.kind == "reasoning"]
    leaked = [
        Text("content", step.text) if number in thoughts and isinstance(step, Text) else step
        for number, step in enumerate(steps)
    ]
    if thoughts:
        leaked.insert(thoughts[-1] + 1, Text("content", "</think>"))
    return leaked
