"""What a model is to caches, traces, dumps and pickles; no secret is in any of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from langchain_kimi.endpoints import resolve_endpoint
from langchain_kimi.options import stops
from langchain_kimi.transport import Timeout
from langchain_kimi.transport.server import open_headers
from langchain_kimi.wire.reply import PROVIDER

if TYPE_CHECKING:
    from langchain_core.language_models import LangSmithParams
    from langchain_core.language_models.model_profile import ModelProfile

    from langchain_kimi.chat_models import ChatKimi

__all__ = ["attributes", "identifying_params", "profile", "tracing_params", "without_secrets"]


def identifying_params(llm: ChatKimi) -> dict[str, Any]:
    """Return all that changes an answer: two models that differ in it share no cached one."""
    return {
        "model": llm.model,
        "base_url": llm.base_url,
        "endpoint": llm.quirks.name,
        "thinking": llm.thinking,
        "preserve_thinking": llm.preserve_thinking,
        "temperature": llm.temperature,
        "top_p": llm.top_p,
        "max_tokens": llm.max_tokens,
        "seed": llm.seed,
        "stop": llm.stop,
        "extra_body": {**llm.model_kwargs, **llm.extra_body},
        "output_version": llm.output_version,
    }


def tracing_params(
    llm: ChatKimi, stop: list[str] | None, options: dict[str, Any]
) -> LangSmithParams:
    """Return what a trace says of a call."""
    params: LangSmithParams = {
        "ls_provider": PROVIDER,
        "ls_model_type": "chat",
        "ls_model_name": options.get("model") or llm.model,
    }
    temperature = options.get("temperature", llm.temperature)
    if temperature is not None and not llm.quirks.locks_sampling:
        params["ls_temperature"] = temperature
    budget = options.get("max_completion_tokens") or options.get("max_tokens") or llm.max_tokens
    if budget:
        params["ls_max_tokens"] = budget
    if asked := stops(stop or llm.stop):
        params["ls_stop"] = asked
    return params


def profile(llm: ChatKimi) -> ModelProfile:
    """Return what a model can do where it is served, for middleware that reads profiles."""
    found = llm.facts.profile()
    row, _ = resolve_endpoint(llm.endpoint, llm.base_url)
    limit = row.max_output_tokens or found["max_output_tokens"]
    return {**found, "max_output_tokens": min(limit, found["max_output_tokens"])}


def attributes(llm: ChatKimi) -> dict[str, Any]:
    """Return what `dumps` cannot write by itself: headers without secrets, and the timeout."""
    found: dict[str, Any] = {}
    if headers := open_headers(llm.default_headers):
        found["default_headers"] = headers
    if isinstance(llm.timeout, Timeout):
        found["timeout"] = asdict(llm.timeout)
    return found


def without_secrets(state: dict[Any, Any]) -> dict[Any, Any]:
    """Return a model's pickled state without its key and its secret headers."""
    fields = state["__dict__"]
    shown = open_headers(fields["default_headers"])
    return {**state, "__dict__": {**fields, "api_key": None, "default_headers": shown}}
