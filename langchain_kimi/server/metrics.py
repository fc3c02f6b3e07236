"""Figures for Prometheus, gathered by a callback handler from every model call and run.

They stand in prometheus_client's default registry, which LangGraph Server shows at `/metrics`
beside its own. They hold counts alone; a model that is not in the table of models is `other`, so
that callers cannot make labels.
"""

from __future__ import annotations

import math
import os
import time
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.tracers.context import register_configure_hook
from prometheus_client import Counter, Gauge, Histogram

from langchain_kimi.errors import KimiError, KimiRateLimitError
from langchain_kimi.server.labels import OTHER, model_label
from langchain_kimi.transport import retry

if TYPE_CHECKING:
    from uuid import UUID

    from langchain_core.outputs import LLMResult

SWITCH = "KIMI_METRICS"
PRICE_INPUT = "KIMI_PRICE_INPUT"
PRICE_OUTPUT = "KIMI_PRICE_OUTPUT"
_MILLION = 1_000_000


class Figures:
    """The metrics; made once in a process."""

    def __init__(self) -> None:
        self.requests = Counter("kimi_requests", "Model calls that ended.", ["model", "outcome"])
        self.seconds = Histogram(
            "kimi_request_seconds",
            "How long model calls took.",
            ["model"],
            buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),
        )
        self.tokens = Counter("kimi_tokens", "Tokens that endpoints reported.", ["model", "kind"])
        self.cost = Counter("kimi_cost", "Cost at the operator's prices.", ["model"])
        self.limits = Counter("kimi_rate_limits", "Requests that met a rate limit.")
        self.waits = Counter(
            "kimi_rate_limit_wait_seconds", "Seconds that model calls waited for rate limits."
        )
        self.subagents = Counter("kimi_subagents", "Sub-agents of runs that ended.")
        self.runs = Counter("kimi_runs", "Runs of graphs that ended.", ["outcome"])
        self.in_flight = Gauge("kimi_requests_in_flight", "Model calls in flight.")
        self.runs_in_flight = Gauge("kimi_runs_in_flight", "Runs of graphs in flight.")


@lru_cache(maxsize=1)
def figures() -> Figures:
    """Return this process's metrics."""
    return Figures()


class MetricsHandler(BaseCallbackHandler):
    """Counts; keeps nothing of what was said."""

    def __init__(self) -> None:
        self._figures = figures()
        self._started: dict[UUID, float] = {}
        self._roots: set[UUID] = set()

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[Any]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Count a call that begins."""
        self._started[run_id] = time.monotonic()
        self._figures.in_flight.inc()

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a call that succeeded, with its tokens and cost."""
        message = _message(response)
        model = _model(message)
        self._ended(run_id, model, "ok")
        usage = message.usage_metadata if message else None
        if usage is None:
            return
        sent, got = usage["input_tokens"], usage["output_tokens"]
        self._figures.tokens.labels(model, "input").inc(sent)
        self._figures.tokens.labels(model, "output").inc(got)
        reasoning = usage.get("output_token_details", {}).get("reasoning") or 0
        cached = usage.get("input_token_details", {}).get("cache_read") or 0
        self._figures.tokens.labels(model, "reasoning").inc(reasoning)
        self._figures.tokens.labels(model, "cached").inc(cached)
        price_input, price_output = prices()
        self._figures.cost.labels(model).inc((sent * price_input + got * price_output) / _MILLION)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a call that failed."""
        self._ended(run_id, OTHER, "error")
        if isinstance(error, KimiRateLimitError):
            self._figures.limits.inc()

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Count a run that begins."""
        if parent_run_id is None:
            self._roots.add(run_id)
            self._figures.runs_in_flight.inc()

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a run that ended, with the sub-agents that it tells of."""
        if self._left(run_id, "ok") and isinstance(outputs, dict):
            usage = outputs.get("usage")
            if isinstance(usage, dict):
                self._figures.subagents.inc(int(usage.get("subagents") or 0))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a run that failed or was interrupted or cancelled."""
        if self._left(run_id, "error"):
            self._forget()

    def _forget(self) -> None:
        """Count the calls as cancelled that were in flight when their run was stopped.

        No callback tells of them. A handler is made for each run that nothing calls, so the calls
        that it has are that run's.
        """
        for run_id in list(self._started):
            self._ended(run_id, OTHER, "cancelled")

    def _ended(self, run_id: UUID, model: str, outcome: str) -> None:
        started = self._started.pop(run_id, None)
        if started is not None:
            self._figures.in_flight.dec()
            self._figures.seconds.labels(model).observe(time.monotonic() - started)
        self._figures.requests.labels(model, outcome).inc()

    def _left(self, run_id: UUID, outcome: str) -> bool:
        if run_id not in self._roots:
            return False
        self._roots.discard(run_id)
        self._figures.runs_in_flight.dec()
        self._figures.runs.labels(outcome).inc()
        return True


_handler: ContextVar[MetricsHandler | None] = ContextVar("kimi_metrics", default=None)


@lru_cache(maxsize=1)
def gather() -> None:
    """Let every run of this process be counted while `KIMI_METRICS` is set.

    Raises:
        ValueError: When a price in the environment is none.
    """
    figures()
    prices()
    retry.observers.append(_waits)
    register_configure_hook(_handler, True, MetricsHandler, SWITCH)


def _waits(error: KimiError, seconds: float) -> None:
    """Count a rate limit that a model call waits for and tries again after."""
    if isinstance(error, KimiRateLimitError):
        figures().limits.inc()
        figures().waits.inc(seconds)


def _message(response: LLMResult) -> AIMessage | None:
    for generations in response.generations:
        for generation in generations:
            message = getattr(generation, "message", None)
            if isinstance(message, AIMessage):
                return message
    return None


def _model(message: AIMessage | None) -> str:
    return model_label(message.response_metadata.get("model_name")) if message else OTHER


@lru_cache(maxsize=1)
def prices() -> tuple[float, float]:
    """Return the operator's prices of a million tokens, sent and got; 0 where none is given.

    Raises:
        ValueError: When one is no number from 0 on; the text names the variable.
    """
    return _price(PRICE_INPUT), _price(PRICE_OUTPUT)


def _price(name: str) -> float:
    given = os.environ.get(name) or "0"
    try:
        price = float(given)
    except ValueError:
        price = math.nan
    if not math.isfinite(price) or price < 0:
        msg = f"{name}={given!r} is no price: give a number from 0 on, such as 0.6."
        raise ValueError(msg)
    return price
