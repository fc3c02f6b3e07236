"""The tools of a coding sub-agent, and those of the orchestrator that merges."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from langchain_kimi.coding.commands import in_thread
from langchain_kimi.coding.copies import Copy
from langchain_kimi.coding.edits import Edits
from langchain_kimi.coding.workspace import Workspace
from langchain_kimi.tools import file_tools
from langchain_kimi.tools.process import Outcome

_PATH = "The file, relative to the root of the repository."
_CHANGES = {"side_effects": True}
"""The reply that asks for such a tool is on disk before the tool runs."""


class _Write(BaseModel):
    """Write a text file, in place of the one that is there."""

    path: str = Field(description=_PATH)
    content: str = Field(description="The whole content.")


class _Edit(BaseModel):
    """Replace a text in a file by another."""

    path: str = Field(description=_PATH)
    old_text: str = Field(description="The text to replace, exactly as it is in the file.")
    new_text: str
    replace_all: bool = Field(default=False, description="Replace it wherever it occurs.")


class _Command(BaseModel):
    """Run a shell command in the root of the working copy, such as the tests.

    Each call is a process of its own, with limits on time, memory and processes.
    """

    command: str = Field(description="The command, as for `sh -c`.")


class _Merge(BaseModel):
    """Merge a sub-agent's work into the target branch.

    What conflicts, or turns the tests red, is not kept, and you are told why.
    """

    agent_id: str = Field(description="The id of a sub-agent that has worked in the repository.")


class _Diff(BaseModel):
    """Show what a sub-agent changed and what is not merged yet."""

    agent_id: str = Field(description="The id of a sub-agent that has worked in the repository.")
    offset: int = Field(default=0, ge=0, description="The character to begin at.")


class _Update(BaseModel):
    """Bring what is merged into a sub-agent's working copy; what conflicts gets markers."""

    agent_id: str = Field(description="The id of a sub-agent that has worked in the repository.")


_MOST_SHOWN = 40_000


def coding_tools(workspace: Workspace) -> list[BaseTool]:
    """Make the tools of a coding sub-agent: list, read, search, write, edit, run.

    Each call works in the copy of the sub-agent that makes it. Outside a swarm all callers share
    the copy `alone`.
    """
    reading = [_reading(workspace, one) for one in file_tools(workspace.folder)]
    return [
        *reading,
        _tool(workspace, "write_file", _Write, lambda copy, **a: _edits(copy).write(**a)),
        _tool(workspace, "edit_file", _Edit, _edit),
        _command_tool(workspace),
    ]


def merge_tools(workspace: Workspace) -> list[BaseTool]:
    """Make the tools of the orchestrator: `merge`, `show_diff`, `update_from_target`."""

    async def merge(agent_id: str) -> str:
        return await in_thread(workspace.pool, lambda started: workspace.merge(agent_id, started))

    async def show_diff(agent_id: str, offset: int = 0) -> str:
        text = await in_thread(workspace.pool, lambda _: workspace.diff(agent_id))
        left = len(text) - offset - _MOST_SHOWN
        more = f"\n[{left:,} more characters; go on with offset]" if left > 0 else ""
        return text[offset : offset + _MOST_SHOWN] + more or "[nothing that is not merged]"

    async def update(agent_id: str) -> str:
        return await in_thread(workspace.pool, lambda _: workspace.update(agent_id))

    return [
        _structured("merge", _Merge, merge),
        _structured("show_diff", _Diff, show_diff),
        _structured("update_from_target", _Update, update),
    ]


def _structured(name: str, schema: type[BaseModel], work: Callable[..., Any]) -> BaseTool:
    return StructuredTool.from_function(
        coroutine=work,
        name=name,
        description=" ".join((schema.__doc__ or "").split()),
        args_schema=schema,
        metadata=_CHANGES,
        handle_tool_error=True,  # the model reads all of a refusal, and what a command printed
    )


def _tool(
    workspace: Workspace, name: str, schema: type[BaseModel], work: Callable[..., str]
) -> BaseTool:
    async def call(config: RunnableConfig, **arguments: Any) -> str:
        return str(
            await in_thread(workspace.pool, lambda _: _held(workspace, config, work, **arguments))
        )

    return _structured(name, schema, call)


def _reading(workspace: Workspace, pattern: BaseTool) -> BaseTool:
    """Make a reading tool that looks into the caller's copy, like one of a fixed folder."""

    def read(copy: Copy, **arguments: Any) -> str:
        made = next(one for one in file_tools(copy.path) if one.name == pattern.name)
        if not isinstance(made, StructuredTool) or made.func is None:
            msg = f"{pattern.name} is no function."
            raise TypeError(msg)
        return str(made.func(**arguments))

    async def call(config: RunnableConfig, **arguments: Any) -> str:
        return str(
            await in_thread(workspace.pool, lambda _: _held(workspace, config, read, **arguments))
        )

    return StructuredTool.from_function(
        coroutine=call,
        name=pattern.name,
        description=pattern.description.replace("root folder", "repository"),
        args_schema=pattern.args_schema,
        handle_tool_error=True,
    )


def _command_tool(workspace: Workspace) -> BaseTool:
    async def run_command(config: RunnableConfig, command: str) -> str:
        def run(copy: Copy, started: Callable[[int], None]) -> Outcome:
            return copy.run(command, started)

        outcome: Outcome = await in_thread(
            workspace.pool,
            lambda started: _held(workspace, config, partial(run, started=started)),
        )
        if outcome.exit_code == 0:
            return outcome.output
        ending = (
            "The command was ended, for its time was up."
            if outcome.exit_code is None
            else f"Exit code {outcome.exit_code}."
        )
        msg = f"{ending}\n{outcome.output}"
        raise ToolException(msg)

    return _structured("run_command", _Command, run_command)


def _held(
    workspace: Workspace, config: RunnableConfig, work: Callable[..., Any], **args: Any
) -> Any:
    agent = config.get("configurable", {}).get("subagent") or "alone"
    with workspace.copies.get(str(agent)).held() as copy:
        return work(copy, **args)


def _edits(copy: Copy) -> Edits:
    return Edits(copy.path, copy.confinement.own)


def _edit(copy: Copy, path: str, old_text: str, new_text: str, *, replace_all: bool = False) -> str:
    return _edits(copy).edit(path, old_text, new_text, everywhere=replace_all)
