"""`langchain-kimi work` through typer's runner, on the scripted endpoint."""

import sqlite3

import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from typer.testing import CliRunner

from langchain_kimi.cli import app, approval
from langchain_kimi.testing import call, say, turn

FAN_OUT = call(
    "agent_swarm", description="d", prompt_template="Study {{item}}", items=["a", "b", "c"]
)
ONE = call("assign_task", agent="general", prompt="Multiply six by seven")
CODE = "print(6 * 7)"
RUN = turn(call("run_python", code=CODE))


@pytest.fixture
def work(tmp_path, kimi_server, monkeypatch):
    """Run the command in a folder of its own."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "root").mkdir()

    def work(*arguments, **options):
        given = [
            "work", "Study the letters", "--base-url", kimi_server.base_url,
            "--folder", str(tmp_path / "kept"), "--root", str(tmp_path / "root"), *arguments,
        ]  # fmt: skip
        return CliRunner().invoke(app, given, **options)

    return work


def test_a_task_is_fanned_out_and_its_files_are_written(work, kimi_server, tmp_path):
    kimi_server.script(FAN_OUT, say("It is a letter."), say("A letter."), say("A letter."))
    kimi_server.script(say("All **studied**."))
    done = work()
    assert done.exit_code == 0
    assert "3 done, 0 running, 0 queued, 0 failed of 3 | 5 steps (3 critical)" in done.stdout
    assert "All studied." in done.stdout
    assert "3 sub-agents, 5 steps (3 one after the other)" in done.stdout
    (folder,) = (path for path in (tmp_path / "kept").iterdir() if path.is_dir())
    assert str(folder) in done.stdout
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.md", "timeline.svg"}


def test_what_is_missing_makes_it_fail(work, kimi_server):
    kimi_server.script(FAN_OUT, say("It is a letter."))
    done = work("--subagents", "1")
    assert done.exit_code == 1
    assert done.stdout.count("missing: ") >= 2
    assert "the limit of 1 sub-agents" in done.stdout


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_cut_off_between_two_checkpoints_it_goes_on(work, kimi_server, monkeypatch, step):
    """The node has ended and said so; the checkpoint after it is not there."""
    kimi_server.script(FAN_OUT, say("A letter."), say("A letter."), say("A letter."))
    kimi_server.script(say("All studied."))
    put = AsyncSqliteSaver.aput

    async def cut_off(self, config, checkpoint, metadata, versions):
        if metadata["step"] == step:
            msg = "killed"
            raise sqlite3.OperationalError(msg)
        return await put(self, config, checkpoint, metadata, versions)

    with monkeypatch.context() as cut:
        cut.setattr(AsyncSqliteSaver, "aput", cut_off)
        assert work().exit_code == 1
    done = work()
    assert done.exit_code == 0
    assert "All studied." in done.stdout
    assert len(kimi_server.requests) == 5, "nothing that was done is asked for again"
    assert [m.get("content") for m in kimi_server.requests[-1]["messages"]].count(
        "Study the letters"
    ) == 1


def test_a_task_that_is_done_is_shown_and_not_done_again(work, kimi_server):
    kimi_server.script(FAN_OUT, say("A letter."), say("A letter."), say("A letter."), say("Done."))
    assert work().exit_code == 0
    shown = work()
    assert shown.exit_code == 0
    assert "This task was done before" in shown.stdout
    assert "Done." in shown.stdout
    assert len(kimi_server.requests) == 5
    kimi_server.script(say("Anew."))
    anew = work("--again")
    assert "Anew." in anew.stdout
    told = kimi_server.requests[-1]["messages"]
    assert [message["role"] for message in told] == ["system", "user"], "what was before is gone"


def test_a_task_that_ended_with_something_missing_goes_on(work, kimi_server):
    kimi_server.script(FAN_OUT, say("It is a letter."), say("Two are missing."))
    assert work("--subagents", "1").exit_code == 1
    kimi_server.script(FAN_OUT, say("B."), say("C."), say("D."), say("All."))
    done = work()
    assert "This task ended before (incomplete); going on with what is missing." in done.stdout
    assert done.exit_code == 0
    asked = kimi_server.requests[3]["messages"][-1]["content"]
    assert asked.startswith("Study the letters\n\nYou worked on this before.")
    assert "- b (" in asked


def test_runs_are_listed_and_forgotten(work, kimi_server, tmp_path):
    def runs(*arguments):
        return CliRunner().invoke(app, ["runs", "--folder", str(tmp_path / "kept"), *arguments])

    assert "There are no runs" in runs().stdout
    kimi_server.script(say("Done."))
    work()
    (name,) = (path.name for path in (tmp_path / "kept").iterdir() if path.is_dir())
    assert name.startswith("study-the-letters-")
    assert runs().stdout.startswith(name)
    assert runs("--prune", "1").stdout.startswith(name), "too young"
    wrong = runs("--delete", "nothing")
    assert (wrong.exit_code, wrong.stderr) == (1, "There is no run nothing.\n")
    gone = runs("--delete", name)
    assert gone.stdout.startswith(f"forgotten: {name}\nThere are no runs")
    assert not (tmp_path / "kept" / name).exists()
    kimi_server.script(say("Anew."))
    assert "Anew." in work().stdout
    assert runs("--prune", "0").stdout.startswith(f"forgotten: {name}")
    with sqlite3.connect(tmp_path / "kept" / "graph.sqlite") as graph:
        assert graph.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)
    graph.close()


def test_a_journal_that_cannot_be_used_is_one_clear_line(work, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "journal.sqlite").write_text("Dear diary, " * 1000)
    done = work()
    assert done.exit_code == 1
    assert "not a database" in done.stderr


def test_code_runs_only_when_a_person_allows_it(work, kimi_server, monkeypatch):
    kimi_server.script(turn(ONE), RUN, say("Refused."), say("Sorry."))
    refused = work("--tools", "python")
    for part in ("run_python wants to run:", CODE, "Not run: there is no one to ask."):
        assert part in refused.stdout
    told = kimi_server.requests[2]["messages"][-1]
    assert told["role"] == "tool"
    assert "rejected" in told["content"]
    assert "42" not in told["content"]

    monkeypatch.setattr(approval, "_someone_is_there", lambda: True)
    kimi_server.clear()
    kimi_server.script(turn(ONE), RUN, say("It is 42."), say("42."))
    allowed = work("--tools", "python", "--again", input="y\n")
    assert "Run it? [y/N]: y" in allowed.stdout
    assert kimi_server.requests[2]["messages"][-1]["content"].strip() == "42"


def test_with_yes_nobody_is_asked(work, kimi_server):
    kimi_server.script(turn(ONE), RUN, say("It is 42."), say("42."))
    done = work("--tools", "python", "--yes")
    assert done.exit_code == 0
    assert "wants to run" not in done.stdout
    assert kimi_server.requests[2]["messages"][-1]["content"].strip() == "42"


def test_the_shell_is_refused_with_the_reason(work):
    done = work("--tools", "shell")
    assert done.exit_code == 1
    assert "cannot share" in done.stderr


def test_a_servers_journal_is_pruned_from_a_folder_that_kept_nothing_yet(postgres, tmp_path):
    folder = str(tmp_path / "new")
    pruned = ["runs", "--folder", folder, "--journal", postgres.url, "--prune", "30"]
    assert CliRunner().invoke(app, pruned).exit_code == 0
