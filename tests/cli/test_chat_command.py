"""`langchain-kimi chat`."""

import pytest

from langchain_kimi.testing import call, say, server_error, think


def test_a_conversation_keeps_its_history(command, kimi_server, on, tmp_path) -> None:
    kimi_server.script(
        think("A greeting."),
        say("Hello, Ada."),
        think("I look."),
        call("list_files"),
        say("It is empty, Ada."),
    )
    done = command("chat", *on, "--root", str(tmp_path), input="I am Ada.\nWhat is here?\n\n")
    assert done.exit_code == 0
    assert "thinking: A greeting.\nHello, Ada.\n" in done.stdout
    assert "→ list_files()\n← list_files\n  [no files]\nIt is empty, Ada.\n" in done.stdout
    texts = [message.get("content") for message in kimi_server.requests[-1]["messages"]]
    assert "I am Ada." in texts
    assert "Hello, Ada." in texts


def test_an_error_ends_the_turn_only(command, kimi_server, on, monkeypatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    kimi_server.script(*[server_error()] * 3, say("Here again."))
    done = command("chat", *on, input="Hello?\nHello?\n")
    assert done.exit_code == 0
    assert done.stderr.count("Error: ") == 1
    assert "Here again." in done.stdout


@pytest.mark.parametrize(("key", "ran"), [("y", True), ("n", False)])
def test_a_person_approves_code(command, kimi_server, on, monkeypatch, tmp_path, key, ran) -> None:
    monkeypatch.setattr("langchain_kimi.cli.approval._someone_is_there", lambda: True)
    kimi_server.script(call("run_python", code="open('made', 'w')"), say("Done."))
    done = command(
        "chat", *on, "--tools", "python", "--root", str(tmp_path), input=f"Make it.\n{key}\n\n"
    )
    assert "Run it? [y/N]" in done.stdout
    assert (tmp_path / "made").exists() is ran
