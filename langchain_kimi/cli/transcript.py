"""A run in the terminal: thoughts dimmed, calls and results as they happen, the answer."""

import json
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, ToolCall, ToolMessage
from rich.console import Console
from rich.text import Text

from langchain_kimi.cli.plain import plain, revealed, shortened

_RESULT_LINES = 6
_LINE_CHARACTERS = 160


class Transcript:
    """Prints the parts of an agent's stream (modes `messages` and `updates`)."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.steps = 0
        self.tokens = 0
        self.answer: AIMessage | None = None
        self._kind = ""

    @property
    def has_answer(self) -> bool:
        """Whether the run ended with an answer of the model."""
        answer = self.answer
        return answer is not None and "stopped_by" not in answer.response_metadata

    def feed(self, mode: str, data: Any) -> None:
        """Print one part of the stream."""
        if mode == "updates":
            self._update(data)
        else:
            message, _ = data
            self._message(message)

    def close(self) -> None:
        """End the running line and say what the run used."""
        self._begin("")
        if self.steps:
            steps = "1 step" if self.steps == 1 else f"{self.steps} steps"
            self.console.print(Text(f"{steps}, {self.tokens:,} tokens", style="dim"))

    def _message(self, message: Any) -> None:
        if isinstance(message, ToolMessage):
            self._result(message)
        elif isinstance(message, AIMessageChunk):
            self._write("thinking", message.additional_kwargs.get("reasoning_content") or "")
            self._write("answer", message.text)
        elif isinstance(message, AIMessage):
            self._write("answer", message.text)

    def _update(self, data: dict[str, Any]) -> None:
        for node, update in data.items():
            messages = (update or {}).get("messages", []) if isinstance(update, dict) else []
            for message in messages:
                if isinstance(message, AIMessage):
                    self.answer = message
                    if node == "model":
                        self._step(message)

    def _step(self, message: AIMessage) -> None:
        self.steps += 1
        if message.usage_metadata is not None:
            self.tokens += message.usage_metadata["total_tokens"]
        for call in message.tool_calls:
            self._begin("call")
            self.console.print(Text(f"→ {call_text(call)}", style="cyan"), soft_wrap=True)
        for broken in message.invalid_tool_calls:
            self._begin("call")
            text = f"→ {_name(broken['name'])}: a call that cannot be read"
            self.console.print(Text(text, style="yellow"), soft_wrap=True)

    def _result(self, message: ToolMessage) -> None:
        self._begin("result")
        style = "red" if message.status == "error" else "green"
        lines = plain(message.text).splitlines() or [""]
        shown = [shortened(line, _LINE_CHARACTERS) for line in lines[:_RESULT_LINES]]
        if len(lines) > len(shown):
            shown.append(f"… {len(lines) - len(shown):,} more lines")
        self.console.print(Text(f"← {_name(message.name)}", style=style))
        text = Text("\n".join(f"  {line}" for line in shown), style="dim")
        self.console.print(text, no_wrap=True, overflow="ellipsis")

    def _write(self, kind: str, text: str) -> None:
        if not text:
            return
        style = "dim italic" if kind == "thinking" else ""
        if self._begin(kind) and kind == "thinking":
            self.console.print(Text("thinking: ", style="dim"), end="")
        self.console.print(Text(plain(text), style=style), end="", soft_wrap=True)

    def _begin(self, kind: str) -> bool:
        """Start a part; end the line of a streamed part before it."""
        if kind == self._kind:
            return False
        if self._kind in {"thinking", "answer"}:
            self.console.print()
        self._kind = kind
        return True


def call_text(call: ToolCall) -> str:
    """Write a call as code, on one line; what cannot be seen is an escape."""
    arguments = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call["args"].items()
    )
    return shortened(revealed(f"{call['name']}({arguments})"), 400)


def _name(name: str | None) -> str:
    return shortened(revealed(name or "tool"), 80)
