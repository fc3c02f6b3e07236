"""OpenTelemetry traces by OpenInference's instrumentation, without content unless asked.

What leaves is a list of what may: kinds, models, counts. So a new attribute of a later version of
the instrumentation stays here, as do the texts of errors, which may quote what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from openinference.instrumentation import TraceConfig
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from langchain_kimi.server.labels import model_label

_MODEL = "llm.model_name"
_KIND = "openinference.span.kind"
_NAMES = frozenset({
    "ChatKimi", "answer", "approve", "background", "check", "draft", "look", "model",
    "multimodal_rag", "orchestrate", "pack", "render", "report", "rerank", "retrieve", "swarm",
    "tool_use", "tools", "understand", "visual_to_code",
})  # fmt: skip
"""Names of spans that are ours; callers may name a run anything, and then its kind stands there."""
_ALLOWED = (_KIND, "llm.token_count.")


class WithoutContent(SpanExporter):
    """Hands spans on with nothing in them that somebody said."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what may leave of the spans."""
        return self._exporter.export([_bare(span) for span in spans])

    def shutdown(self) -> None:
        """Close the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._exporter.force_flush(timeout_millis)


def trace(*, content: bool, exporter: SpanExporter | None = None) -> TracerProvider:
    """Send a span for every run, node, model and tool call of this process.

    Args:
        content: Whether prompts, answers and the texts of errors go along.
        exporter: Where spans go; by default where the variables `OTEL_EXPORTER_OTLP_*` say.

    Returns:
        The provider; its `shutdown` sends what waits.
    """
    target = exporter or OTLPSpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(target if content else WithoutContent(target)))
    hidden = None if content else True
    config = TraceConfig(
        hide_inputs=hidden, hide_outputs=hidden, hide_llm_invocation_parameters=hidden
    )
    LangChainInstrumentor().instrument(tracer_provider=provider, config=config)
    return provider


def _bare(span: ReadableSpan) -> ReadableSpan:
    kept = {k: v for k, v in (span.attributes or {}).items() if k.startswith(_ALLOWED)}
    if span.attributes and _MODEL in span.attributes:
        kept[_MODEL] = model_label(span.attributes[_MODEL])
    return ReadableSpan(
        name=span.name if span.name in _NAMES else str(kept.get(_KIND, "span")),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )
