"""The model of a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from langchain_kimi.agents.default_model import (
    STAND_IN_NOTICE,
    default_model,
    is_stand_in,
    pace_stand_in,
)
from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.cli.plain import revealed
from langchain_kimi.endpoints import EndpointName


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Which model to ask, and where."""

    model: str | None = None
    base_url: str | None = None
    endpoint: EndpointName = "auto"
    thinking: bool = True
    pace: float | None = None
    """Tokens a second of the stand-in, when it answers; None for at once."""
    fields: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def open(self, console: Console) -> Iterator[ChatKimi]:
        """Make the model, say what answers, and close its connections in the end."""
        llm = default_model(
            model=self.model,
            base_url=self.base_url,
            endpoint=self.endpoint,
            thinking=self.thinking,
            **self.fields,
        )
        stands_in = is_stand_in(llm)
        if stands_in:
            pace_stand_in(self.pace)
        notice = STAND_IN_NOTICE if stands_in else revealed(f"{llm.model} at {llm.base_url}")
        console.print(Text(notice, style="yellow" if stands_in else "dim"))
        try:
            yield llm
        finally:
            llm.close()
