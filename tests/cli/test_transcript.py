"""How a run looks in a terminal."""

from io import StringIO

from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from rich.console import Console

from langchain_kimi.cli.transcript import Transcript

DIM_ITALIC = "\x1b[2;3m"


def test_thoughts_are_dimmed_and_control_characters_dropped(monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    console = Console(file=StringIO(), force_terminal=True, color_system="standard", width=60)
    transcript = Transcript(console)
    thought = AIMessageChunk("", additional_kwargs={"reasoning_content": "I \x1b]0;x\x07look."})
    call = {"name": "read_file", "args": {"path": "a.txt"}, "id": "1"}
    broken = {"name": "read_file", "args": "{", "id": "2", "error": "cut", "type": "invalid"}
    step = AIMessage("", tool_calls=[call], invalid_tool_calls=[broken])
    transcript.feed("messages", (thought, {}))
    transcript.feed("updates", {"model": {"messages": [step]}})
    transcript.feed("messages", (ToolMessage("\x1b[2Jno", tool_call_id="1", status="error"), {}))
    transcript.feed("messages", (AIMessageChunk("Done \x9b31mnow."), {}))
    transcript.feed("updates", {"Guard.after_model": None})
    transcript.close()
    shown = console.file.getvalue()
    assert f"{DIM_ITALIC}I ]0;xlook." in shown
    assert '\x1b[36m→ read_file(path="a.txt")' in shown
    assert "→ read_file: a call that cannot be read" in shown
    assert "\x1b[31m← tool" in shown
    assert "  [2Jno" in shown
    assert "Done 31mnow.\n" in shown
    assert "1 step, 0 tokens" in shown
    assert transcript.has_answer
