"""`KimiBinding`: bound call options that a later `bind_tools` does not lose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableSerializable
from langchain_core.runnables.base import RunnableBinding
from langchain_core.runnables.configurable import DynamicRunnable, RunnableConfigurableFields
from langchain_core.runnables.utils import AnyConfigurableField, ConfigurableField

if TYPE_CHECKING:
    from langchain_kimi.chat_models import ChatKimi

__all__ = ["KimiBinding"]


class KimiBinding(RunnableBinding[LanguageModelInput, AIMessage]):  # type: ignore[no-redef]
    """What `ChatKimi.bind` returns.

    A plain `RunnableBinding` forwards `bind_tools` and `with_structured_output` to the bare model
    and drops what was bound, so `llm.bind(thinking=False).bind_tools(...)` would think.
    """

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialize as `RunnableBinding`, which `loads` knows."""
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
        model: Any = self.bound
        if isinstance(model, RunnableConfigurableFields):
            model, kwargs = model.default, {**model.fields, **kwargs}
        return self._around(RunnableSerializable.configurable_fields(model, **kwargs))

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
        while isinstance(bound, DynamicRunnable):
            bound = bound.default
        return cast("ChatKimi", bound)

    def _rebound(self, later: Runnable[Any, Any]) -> Runnable[LanguageModelInput, AIMessage]:
        assert isinstance(later, RunnableBinding)
        return self.bind(**later.kwargs)
