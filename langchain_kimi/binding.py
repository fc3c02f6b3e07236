"""`KimiBinding`: bound call options that a later `bind_tools` does not lose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBinding

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        return self._rebound(self.model.bind_tools(tools, **kwargs))

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        """Answer in a schema, with all that is bound; see `ChatKimi.with_structured_output`."""
        from langchain_kimi.structured_output import structured_output  # noqa: PLC0415

        return structured_output(self, schema, **kwargs)

    @property
    def model(self) -> ChatKimi:
        """The model that is bound."""
        return cast("ChatKimi", self.bound)

    def _rebound(self, later: Runnable[Any, Any]) -> Runnable[LanguageModelInput, AIMessage]:
        assert isinstance(later, RunnableBinding)
        return self.bind(**later.kwargs)
