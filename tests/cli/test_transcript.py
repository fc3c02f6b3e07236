"""How a run looks in a terminal."""

from io import StringIO

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from rich.console import Console

from langchain_kimi.cli.approval import shown
from langchain_kimi.cli.plain import plain, revealed
from langchain_kimi.cli.transcript import Transcript, call_text

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


STEERING = [
    "\x00", "\x07", "\x08", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u061c", "\u200b", "\u200e",
    "\u200f", "\u2028", "\u2029", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2060",
    "\u2066", "\u2067", "\u2068", "\u2069", "\ufeff", "\U000e0041",
]  # fmt: skip


@pytest.mark.parametrize("char", STEERING)
def test_nothing_steers_the_terminal(char: str) -> None:
    console = Console(file=StringIO(), width=100)
    transcript = Transcript(console)
    bad = f"a{char}b"
    step = AIMessage(
        bad,
        tool_calls=[{"name": bad, "args": {bad: bad}, "id": "1"}],
        invalid_tool_calls=[{"name": bad, "args": "{", "id": "2", "error": "cut"}],
        additional_kwargs={"reasoning_content": bad},
    )
    transcript.feed("messages", (AIMessageChunk(bad, additional_kwargs=step.additional_kwargs), {}))
    transcript.feed("updates", {"model": {"messages": [step]}})
    transcript.feed("messages", (ToolMessage(bad, name=bad, tool_call_id="1"), {}))
    transcript.feed("messages", (AIMessage(bad), {}))
    transcript.close()
    assert char not in console.file.getvalue()
    assert "b" in console.file.getvalue()
    assert char not in call_text(step.tool_calls[0])
    assert char not in shown({"name": bad, "args": {"code": bad, bad: [bad]}})


def test_a_call_is_shown_on_one_line() -> None:
    call = {"name": "a\n← b", "args": {"x\n← y": "z\n"}, "id": "1"}
    assert call_text(call) == 'a\\n← b(x\\n← y="z\\n")'


def test_text_that_is_none_can_be_printed() -> None:
    assert plain("a\ud83db").encode() == "a\ufffdb".encode()
    assert revealed("a\ud83db") == "a\\ud83db"
    assert plain("größer\t👋\n") == "größer\t👋\n"


def test_what_is_approved_is_shown_as_it_is() -> None:
    """The code that runs has the character, so the person sees that it is there."""
    request = {"name": "shell", "args": {"command": "ls\n# \u202emr\r\x1b[8m", "restart": True}}
    assert shown(request) == (
        "shell wants to run:\ncommand:\n  | ls\n  | # \\u202emr\\r\\x1b[8m\nrestart:\n  | true"
    )


def test_code_cannot_fake_the_question() -> None:
    request = {"name": "run_python", "args": {"code": "a\nRun it? [y/N]: y"}}
    assert shown(request).endswith("\n  | Run it? [y/N]: y")
