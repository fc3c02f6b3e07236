"""What is bound to a `ChatKimi`: options that a later `bind_tools` does not lose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.base import RunnableBinding
from langchain_core.runnables.utils import AnyConfigurableField, ConfigurableField
from langchain_core.tools import BaseTool

from langchain_kimi.options import StructuredMethod
from langchain_kimi.wire.tool_schemas import to_kimi_tools

if TYPE_CHECKING:
    from langchain_nvidia_ai_endpoints import ChatNVIDIA as _Model

    from langchain_kimi.chat_models import ChatKimi

    _Binding = RunnableBinding[LanguageModelInput, AIMessage]
else:
    _Model = object
    _Binding = RunnableBinding  # its types are told by what is bound; a class of its own is slow

_Bound = Runnable[LanguageModelInput, AIMessage]

__all__ = ["Bindable", "KimiBinding"]


class KimiBinding(_Binding):
    """What `ChatKimi.bind` returns.

    A plain `RunnableBinding` forwards `bind_tools` and `with_structured_output` to the bare model
    and drops what was bound, so `llm.bind(thinking=False).bind_tools(...)` would think.
    """

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialize as `RunnableBinding`, which `loads` knows; what it loads is one."""
        return RunnableBinding.lc_id()

    def bind_tools(
        self, tools: Sequence[Any], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools beside what is bound; see `ChatKimi.bind_tools`."""
        return self._rebound(self.chat_model.bind_tools(tools, **kwargs))

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        """Answer in a schema, with all that is bound; see `ChatKimi.with_structured_output`."""
        from langchain_kimi.structured_output import structured_output  # noqa: PLC0415

        return structured_output(self, schema, **kwargs)

    def configurable_fields(self, **kwargs: AnyConfigurableField) -> KimiBinding:
        """Let a run's config set fields of the model; what is bound, and later `bind_tools`, stay.

        What langchain-core returns would forward `bind_tools` to the model as it was built.
        """
        from langchain_kimi.configuring import configurable  # noqa: PLC0415  rarely needed

        return self._around(configurable(self.bound, kwargs))

    def configurable_alternatives(
        self,
        which: ConfigurableField,
        *,
        default_key: str = "default",
        prefix_keys: bool = False,
        **kwargs: Runnable[Any, Any] | Callable[[], Runnable[Any, Any]],
    ) -> KimiBinding:
        """Let a run's config choose another model; what is bound, and later `bind_tools`, stay."""
        model: Any = self.bound
        alternatives = RunnableSerializable.configurable_alternatives(
            model, which, default_key=default_key, prefix_keys=prefix_keys, **kwargs
        )
        return self._around(alternatives)

    def _around(self, bound: Runnable[LanguageModelInput, AIMessage]) -> KimiBinding:
        return self.model_copy(update={"bound": bound})

    @property
    def chat_model(self) -> ChatKimi:
        """The model that is bound, without what a run's config changes of it."""
        bound: Any = self.bound
        while not hasattr(type(bound), "quirks"):
            bound = bound.default  # of what a run's config changes
        return cast("ChatKimi", bound)

    def _rebound(self, later: Runnable[Any, Any]) -> Runnable[LanguageModelInput, AIMessage]:
        assert isinstance(later, RunnableBinding)
        return self.bind(**later.kwargs)


class Bindable(_Model):
    """How options, tools and schemas are bound to a `ChatKimi` so that none gets lost later."""

    def bind(self, **kwargs: Any) -> KimiBinding:  # type: ignore[override]
        """Bind call options; they survive a later `bind_tools` or `with_structured_output`."""
        return KimiBinding(bound=cast("ChatKimi", self), kwargs=kwargs, config={})

    def configurable_fields(self, **kwargs: AnyConfigurableField) -> KimiBinding:
        """Let a run's config set fields, `thinking` for example, also below later bindings."""
        return self.bind().configurable_fields(**kwargs)

    def configurable_alternatives(
        self,
        which: ConfigurableField,
        *,
        default_key: str = "default",
        prefix_keys: bool = False,
        **kwargs: Runnable[Any, Any] | Callable[[], Runnable[Any, Any]],
    ) -> KimiBinding:
        """Let a run's config choose another model, also below later bindings."""
        return self.bind().configurable_alternatives(
            which, default_key=default_key, prefix_keys=prefix_keys, **kwargs
        )

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> _Bound:
        """Bind a config; later bindings keep it, and what they bind."""
        return self.bind().with_config(config, **kwargs)

    def with_listeners(self, **listeners: Any) -> _Bound:
        """Bind listeners to the runs; later bindings keep them, and what they bind."""
        return self.bind().with_listeners(**listeners)

    def with_types(self, **types: Any) -> _Bound:
        """Bind input and output types; later bindings keep them, and what they bind."""
        return self.bind().with_types(**types)

    def with_thinking_mode(self, enabled: bool) -> KimiBinding:  # type: ignore[override]
        """Bind `thinking`, under ChatNVIDIA's name for it."""
        return self.bind(thinking=enabled)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> KimiBinding:
        """Bind tools.

        Args:
            tools: Functions, pydantic models, TypedDicts, `BaseTool`s or OpenAI dicts. Their
                schemas are written in the dialect that Kimi takes and accept what they did.
            tool_choice: `auto`, `none`, `any`, `required`, True, a tool's name, or OpenAI's
                object. A forced call is made without thinking, as Kimi cannot be forced while it
                thinks; a model that always thinks is asked with `auto` and its reply is checked.
            parallel_tool_calls: Sent only when given: NVIDIA has refused it.
            strict: Taken for the sake of callers that pass it, and not sent: no Kimi endpoint
                is known to enforce it on tools.
            **kwargs: Further call options.

        Raises:
            KimiInvalidInputError: A tool is none that Kimi takes.
        """
        options = {
            "tools": to_kimi_tools(tools),
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
        }
        bound = {key: value for key, value in options.items() if value is not None}
        return self.bind(**bound, **kwargs)

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: StructuredMethod | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        repair: bool = True,
        tools: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answer in a schema; see `langchain_kimi.structured_output.structured_output`."""
        from langchain_kimi.structured_output import structured_output  # noqa: PLC0415

        return structured_output(
            self.bind(),
            schema,
            method=method,
            include_raw=include_raw,
            strict=strict,
            repair=repair,
            tools=tools,
            **kwargs,
        )
