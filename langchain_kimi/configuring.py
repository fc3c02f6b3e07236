"""A model some of whose fields a run's config sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.configurable import RunnableConfigurableFields

if TYPE_CHECKING:
    from langchain_core.runnables.utils import AnyConfigurableField

    from langchain_kimi.chat_models import ChatKimi

__all__ = ["ConfigurableKimi", "configurable"]


def configurable(
    model: Any, fields: dict[str, AnyConfigurableField]
) -> Runnable[LanguageModelInput, AIMessage]:
    """Let a run's config set fields of a model, beside those that it may set already."""
    if isinstance(model, RunnableConfigurableFields):
        model, fields = model.default, {**model.fields, **fields}
    made: Any = RunnableSerializable.configurable_fields(model, **fields)
    if not isinstance(made, RunnableConfigurableFields):
        return cast("Runnable[LanguageModelInput, AIMessage]", made)  # alternatives pass them on
    return ConfigurableKimi(default=made.default, fields=made.fields)


class ConfigurableKimi(RunnableConfigurableFields):  # type: ignore[type-arg]
    """A model some of whose fields a run's config sets.

    langchain-core builds the model anew for each run: without its connections, and with every field
    given, which it reads as a wish not to stream (`streaming=False`). Here a run gets a copy.
    """

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialize as `RunnableConfigurableFields`, which `loads` knows."""
        return RunnableConfigurableFields.lc_id()

    def _prepare(
        self, config: RunnableConfig | None = None
    ) -> tuple[Runnable[LanguageModelInput, AIMessage], RunnableConfig]:
        built, config = super()._prepare(config)
        if built is self.default:
            return built, config
        model = cast("ChatKimi", self.default)
        changed = {
            name: value
            for name in self.fields
            if (value := getattr(built, name)) != getattr(model, name)
        }
        return model.changed(changed), config
