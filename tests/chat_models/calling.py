"""Four ways to ask, one signature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.messages import AIMessage, AIMessageChunk

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

Mode = Literal["invoke", "ainvoke", "stream", "astream"]


@dataclass(frozen=True)
class Ask:
    """Calls a model in one way and returns the whole message."""

    mode: Mode

    @property
    def streams(self) -> bool:
        return self.mode in {"stream", "astream"}

    async def __call__(self, model: Runnable[Any, Any], given: Any, /, **options: Any) -> AIMessage:
        if self.mode == "invoke":
            return cast("AIMessage", model.invoke(given, **options))
        if self.mode == "ainvoke":
            return cast("AIMessage", await model.ainvoke(given, **options))
        chunks = await self.chunks(model, given, **options)
        return cast("AIMessage", reduce(add, chunks))

    async def chunks(
        self, model: Runnable[Any, Any], given: Any, /, **options: Any
    ) -> list[AIMessageChunk]:
        """Collect the chunks of a streaming mode."""
        if self.mode == "astream":
            return [chunk async for chunk in model.astream(given, **options)]
        return list(model.stream(given, **options))
