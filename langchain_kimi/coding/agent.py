"""The coding sub-agent, and a background agent that leads many of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.graph.state import CompiledStateGraph

from langchain_kimi.coding.commands import in_thread
from langchain_kimi.coding.tools import coding_tools, merge_tools
from langchain_kimi.coding.workspace import Workspace
from langchain_kimi.swarm import Journal, SubAgent, create_background_agent

CODER = "coder"


def coding_subagent(
    workspace: Workspace,
    *,
    name: str = CODER,
    model: BaseChatModel | None = None,
    model_settings: Mapping[str, Any] | None = None,
    system_prompt: str | None = None,
    tools: Sequence[Any] = (),
) -> SubAgent:
    """Make a kind of sub-agent that works on a repository, each in a working copy of its own.

    Args:
        workspace: Where.
        name: The kind's name.
        model: None for the orchestrator's.
        model_settings: Arguments of each model call.
        system_prompt: In place of `prompts/coder.md`.
        tools: Further tools.
    """
    return SubAgent(
        name=name,
        description="Changes code in a working copy of the repository, and runs its tests.",
        system_prompt=_prompt("coder") if system_prompt is None else system_prompt,
        tools=[*coding_tools(workspace), *tools],
        model=model,
        model_settings=model_settings or {},
    )


def create_coding_agent(
    model: BaseChatModel, workspace: Workspace, **options: Any
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Make a background agent whose sub-agents change a repository, and which merges their work.

    Args:
        model: Leads, and works.
        workspace: The repository, its working copies and its target branch.
        **options: Further arguments of `create_background_agent`: budget, journal,
            checkpointer, interrupt_on such as `{"merge": True}`.

    Returns:
        A compiled graph, called as `create_background_agent`'s.
    """
    options = {
        "system_prompt": _prompt("orchestrator"),
        "name": "coding_agent",
        **options,
        "subagents": [coding_subagent(workspace), *options.get("subagents", ())],
        "orchestrator_tools": [*merge_tools(workspace), *options.get("orchestrator_tools", ())],
    }
    return create_background_agent(model, **options)


async def save_diffs(workspace: Workspace, journal: Journal, run: str) -> list[str]:
    """Keep each sub-agent's diff as the artifact `<id>/changes.diff` of a run that has ended.

    Args:
        workspace: Where the sub-agents worked.
        journal: The run's journal.
        run: Its name, the thread id. Whoever still writes for it can write no more.

    Returns:
        The names of the artifacts.
    """
    log = await journal.open(run)
    names = []
    for agent in workspace.agents():
        patch = await in_thread(workspace.pool, partial(_patches, workspace, agent))
        name = f"{agent}/changes.diff"
        await log.save(name, "text/x-diff", patch.encode(errors="replace"))
        names.append(name)
    return names


def _patches(workspace: Workspace, agent: str, _: Callable[[int], None]) -> str:
    return workspace.patches(agent)


def _prompt(name: str) -> str:
    found = files("langchain_kimi.coding").joinpath("prompts", f"{name}.md")
    return found.read_text("utf-8").strip()
