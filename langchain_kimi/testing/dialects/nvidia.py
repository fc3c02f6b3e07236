"""NVIDIA's hosted endpoint (integrate.api.nvidia.com)."""

from __future__ import annotations

from collections.abc import Container
from http import HTTPStatus
from typing import ClassVar

from langchain_kimi.testing.checks import nvidia
from langchain_kimi.testing.dialects.base import Dialect, ErrorBody, Json, dumps
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.reply import Reply, Usage
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings

RETIRED = (
    "Function '0b1a2c3d-4e5f-6071-8293-a4b5c6d7e8f9': Not found for account 'stand-in-account'"
)


class Nvidia(Dialect):
    """Unknown fields are refused by name; errors come in two shapes."""

    name: ClassVar[str] = "nvidia"
    owner: ClassVar[str] = "moonshotai"
    models: ClassVar[tuple[str, ...]] = (
        "moonshotai/kimi-k2.6",
        "moonshotai/kimi-k2-thinking",
        "moonshotai/kimi-k3",
    )

    def check(self, request: ChatRequest, settings: Settings, uploads: Container[str]) -> None:
        """Refuse what NVIDIA refuses."""
        nvidia.check(request, settings, uploads)

    def error_body(self, refusal: Refusal) -> ErrorBody:
        """400 as an error object, 401 and 403 without JSON, the rest as a problem."""
        status = HTTPStatus(refusal.status)
        if refusal.status in (401, 403):
            challenge = f'Bearer realm="api", error="{status.phrase}"'
            return ErrorBody(
                status.phrase, {"WWW-Authenticate": challenge, "Content-Type": "text/plain"}
            )
        if refusal.status in (400, 422):
            fields = {
                "message": refusal.message or status.phrase,
                "type": refusal.kind or "Bad Request",
                "code": refusal.status,
            }
            return ErrorBody(dumps({"error": fields}), {})
        problem: Json = {"status": refusal.status, "title": status.phrase}
        detail = refusal.message or (RETIRED if refusal.status == 404 else None)
        if detail:
            problem["detail"] = detail
        return ErrorBody(dumps(problem), {"Content-Type": "application/problem+json"})

    def usage(self, usage: Usage) -> Json:
        """Only the three counts."""
        return {
            "prompt_tokens": usage.prompt,
            "total_tokens": usage.total,
            "completion_tokens": usage.completion,
        }

    def takes_parallel_calls(self, request: ChatRequest, settings: Settings) -> bool:
        """Only when the server is set to it."""
        return settings.parallel_tool_calls and super().takes_parallel_calls(request, settings)

    def response_headers(self, request_id: str) -> dict[str, str]:
        """The function service's request id and state."""
        return {"NVCF-REQID": request_id, "NVCF-STATUS": "fulfilled"}

    def completion(self, reply: Reply) -> Json:
        """Write logprobs too."""
        body = super().completion(reply)
        body["choices"][0]["logprobs"] = None
        return body

    def choice(self, delta: Json, finish_reason: str | None = None) -> Json:
        """Write logprobs too."""
        return {**super().choice(delta, finish_reason), "logprobs": None}
