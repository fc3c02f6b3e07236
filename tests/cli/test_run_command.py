"""`langchain-kimi run`."""

import subprocess
import sys
from pathlib import Path

import pytest

from langchain_kimi._version import __version__
from langchain_kimi.testing import call, retired, say, think, turn, unauthorized


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("The meeting is at nine.\n\x1b[31mred\n" + "more\n" * 20)
    return tmp_path


@pytest.mark.parametrize("dialect", ["nvidia", "vllm", "sglang", "moonshot"])
def test_it_shows_thoughts_calls_results_and_the_answer(
    command, kimi_server_factory, root, snapshot, dialect: str
) -> None:
    server = kimi_server_factory(dialect)
    server.script(
        turn(think("I read the notes."), call("read_file", path="notes.txt")),
        think("Nine."),
        say("The meeting is at nine."),
    )
    done = command(
        "run", "When?", "--root", str(root), "--base-url", server.base_url, "--endpoint", dialect
    )
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[1:-1] == snapshot(name="transcript")
    assert lines[-1].startswith("2 steps, ")


def test_options_reach_the_endpoint(command, kimi_server, on, root) -> None:
    kimi_server.script(say("Hello."))
    command(
        "run", "Hi", *on, "--root", str(root), "--tools", "fetch,files", "--host",
        "docs.python.org", "--model", "moonshotai/kimi-k2.6", "--no-thinking",
    )  # fmt: skip
    request = kimi_server.requests[0]
    assert [tool["function"]["name"] for tool in request["tools"]] == [
        "list_files",
        "read_file",
        "search_files",
        "fetch_url",
    ]
    assert request["chat_template_kwargs"]["thinking"] is False
    kimi_server.script(say("Hello."))
    command("run", "Hi", *on, "--tools", "none")
    assert "tools" not in kimi_server.requests[1]


def test_a_stopped_run_fails(command, kimi_server, on, root) -> None:
    kimi_server.script(call("list_files"), call("list_files", path="."))
    done = command("run", "Look", *on, "--root", str(root), "--max-steps", "2")
    assert done.exit_code == 1
    assert "Stopped by the budget: 2 of 2 steps" in done.stdout


def test_code_runs_only_when_allowed(command, kimi_server, on, root) -> None:
    script = turn(call("run_python", code="print(6 * 7)")), say("Done.")
    arguments = ("run", "Multiply", *on, "--root", str(root), "--tools", "python")
    kimi_server.script(*script)
    refused = command(*arguments)
    assert "run_python wants to run:\n  | print(6 * 7)\nNot run: there is no one to ask." in (
        refused.stdout
    )
    assert "does not want this to run" in kimi_server.requests[-1]["messages"][-1]["content"]
    kimi_server.script(*script)
    allowed = command(*arguments, "--yes")
    assert "← run_python\n  42\n" in allowed.stdout
    assert "wants to run" not in allowed.stdout


@pytest.mark.kimi("nvidia", api_key="nvapi-right-one")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (unauthorized(), "401"),
        (retired(), "Ways out: another model id"),
        (None, "401"),
    ],
)
def test_an_error_is_one_line_without_the_key(
    command, kimi_server, on, monkeypatch, fault, said: str
) -> None:
    key = "nvapi-wrong-one" if fault is None else "nvapi-right-one"
    monkeypatch.setenv("NVIDIA_API_KEY", key)
    kimi_server.script(fault or say("Never."))
    done = command("run", "Hi", *on, "--endpoint", "nvidia")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: nvidia ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert "nvapi" not in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tools", "hammer"], "Error: There is no tool set hammer. Choose from: files, fetch"),
        (["--tools", "fetch"], "only hosts that you name, such as --host docs.python.org"),
        (["--tools", "fetch", "--host", "https://a.org/"], "'https://a.org/' is not a host"),
        (["--base-url", "nonsense"], "Error: base_url must be an http(s) URL"),
        (["--base-url", "http://[::1"], "Error: base_url must be an http(s) URL"),
        (["--endpoint", "vllm"], "self-hosted and has no default address"),
        (["--base-url", "http://127.0.0.1:9/v1"], "cannot be reached"),
    ],
)
def test_a_mistake_is_explained(command, arguments: list[str], said: str) -> None:
    done = command("run", "Hi", *arguments)
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["run"], ["work"], ["research", "."]])
def test_an_empty_task_costs_no_run(
    command, kimi_server, on, tmp_path, monkeypatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(*arguments, " \n", *on)
    assert done.exit_code == 2
    assert "it is empty" in done.stderr
    assert kimi_server.exchanges == []


@pytest.mark.parametrize("name", ["chat", "run", "work"])
@pytest.mark.parametrize("tools", ["hammer", "fetch"])
def test_wrong_tools_are_refused_before_anything_else(
    command, tmp_path, name: str, tools: str
) -> None:
    folder = ["--folder", str(tmp_path / "kept")] if name == "work" else []
    done = command(name, *([] if name == "chat" else ["Hi"]), "--tools", tools, *folder)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["chat", "run", "work"])
def test_agents_share_their_options(command, name: str) -> None:
    shown = command(name, "--help").stdout
    for option in ("--model", "--base-url", "--endpoint", "--tools", "--root", "--host", "--yes"):
        assert option in shown
    assert ("--max-steps" in shown) is (name != "work")


def test_the_stand_in_says_that_it_is_none(root) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "langchain_kimi.cli", "run", "What is in notes.txt?"],
        capture_output=True, text=True, check=True, cwd=root, env={"PATH": ""},
    )  # fmt: skip
    assert done.stdout.startswith("No API key and no base URL are set: a stand-in answers")
    assert "→ read_file" in done.stdout
    assert "Stand-in (no model)" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_help_and_version_are_quick_and_complete(command) -> None:
    done = command("--help")
    assert all(name in done.stdout for name in ("chat", "run", "doctor", "endpoint", "demo"))
    assert command("--version").stdout.strip() == __version__
    code = (
        "import sys; from langchain_kimi.cli import app; "
        "print([m for m in ('langchain', 'langchain_core', 'langgraph') if m in sys.modules])"
    )
    lean = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert lean.stdout.strip() == "[]"
