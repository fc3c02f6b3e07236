"""Moonshot's own platform (api.moonshot.ai)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import ClassVar

from langchain_kimi.testing.checks import moonshot
from langchain_kimi.testing.dialects.base import Dialect, ErrorBody, Json, dumps
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.reply import Reply, Usage, WireCall
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings

ERRORS = {
    400: ("invalid_request_error", "Invalid request"),
    401: ("invalid_authentication_error", "Invalid Authentication"),
    403: ("permission_denied_error", "The API you are accessing is not open"),
    404: ("resource_not_found_error", "Not found the model or Permission denied"),
    429: ("rate_limit_reached_error", "Your account reached the rate limit, please try again"),
    500: ("server_error", "Server error"),
}
QUOTA = "Your account is suspended, please check your plan and billing details"


class Moonshot(Dialect):
    """``thinking.type`` is the switch; usage rides on the last choice."""

    name: ClassVar[str] = "moonshot"
    owner: ClassVar[str] = "moonshot"
    reports_cache: ClassVar[bool] = True
    models: ClassVar[tuple[str, ...]] = (
        "kimi-k2.6",
        "kimi-k2.7-code",
        "kimi-k2.7-code-highspeed",
        "kimi-k3",
    )

    def check(self, request: ChatRequest, settings: Settings, uploads: Container[str]) -> None:
        """Refuse what Moonshot refuses."""
        moonshot.check(request, settings, uploads, thinking=self.thinks(request))

    def thinks(self, request: ChatRequest) -> bool:
        """Thinking is on unless ``thinking.type`` is ``disabled``."""
        switch = request.body.get("thinking")
        return not (isinstance(switch, Mapping) and switch.get("type") == "disabled")

    def error_body(self, refusal: Refusal) -> ErrorBody:
        """``{"error": {message, type}}``."""
        kind, message = ERRORS.get(refusal.status, ERRORS[500 if refusal.status >= 500 else 400])
        if refusal.kind == "exceeded_current_quota_error":
            message = QUOTA
        fields = {"message": refusal.message or message, "type": refusal.kind or kind}
        return ErrorBody(dumps({"error": fields}), {})

    def usage(self, usage: Usage) -> Json:
        """Cached tokens stand at the top."""
        return {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total,
            "cached_tokens": usage.cached,
        }

    def response_headers(self, request_id: str) -> dict[str, str]:
        """The two ids that support asks for."""
        return {"x-request-id": request_id, "x-trace-id": f"trace-{request_id}"}

    def whole_call(self, call: WireCall) -> Json:
        """Unstreamed calls carry an index too."""
        return {"index": call.index, **super().whole_call(call)}

    def last_chunk(self, reply: Reply) -> Json:
        """The usage is in the last choice, whether asked for or not."""
        choice = {**self.choice({}, reply.finish_reason), "usage": self.usage(reply.usage)}
        return self.chunk(reply, [choice])
