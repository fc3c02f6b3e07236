"""The background agent as a LangGraph graph: orchestrate → swarm → orchestrate … → report.

The graph is the outer grain: checkpoints, interrupts, streams and time travel are LangGraph's.
Inside the `swarm` node hundreds of sub-agents work, with every finished step in the journal.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import get_runtime
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer, Command, interrupt

from langchain_kimi.swarm import live_runs
from langchain_kimi.swarm.budgets import Budget, Grant
from langchain_kimi.swarm.compaction import Compaction
from langchain_kimi.swarm.desk import Timeouts
from langchain_kimi.swarm.failures import RetryPolicy
from langchain_kimi.swarm.journal import Journal
from langchain_kimi.swarm.reduce import REDUCE
from langchain_kimi.swarm.report import finish
from langchain_kimi.swarm.session import Binder, Session, Settings
from langchain_kimi.swarm.subagents import SubAgent
from langchain_kimi.swarm.tools import GENERAL

RESUMED: dict[str, Any] = {"resumed": True}
"""An answer to an approval that decides nothing, and lets the siblings go on after a restart."""

DECISIONS = ("approve", "edit", "reject", "respond")
_MOST_BINDERS = 64
DEFAULT_JOURNAL = ".langchain-kimi/journal.sqlite"

ModelSource = BaseChatModel | Callable[[Any], BaseChatModel]
JournalSource = str | Path | Journal | Callable[[Any], str | Path | Journal]
Tools = Sequence[BaseTool | Callable[..., Any]]


class BackgroundState(TypedDict):
    """The state of the outer graph; large things are in the journal, by reference."""

    messages: Annotated[list[AnyMessage], add_messages]
    budget: NotRequired[dict[str, Any]]
    """Limits for this task, over those of the context, and within the agent's."""
    run: NotRequired[str]
    """The journal's name of this run: the thread id where there is one."""
    waiting: NotRequired[list[dict[str, Any]]]
    """Tool calls that a person is asked about."""
    decisions: NotRequired[dict[str, dict[str, Any]]]
    """A person's answers, by the key of the tool call."""
    status: NotRequired[str]
    """"done", "incomplete", or "cancelled"."""
    result: NotRequired[str]
    report: NotRequired[str]
    """The report of the run in Markdown; in HTML it is the artifact `report.html`."""
    missing: NotRequired[list[str]]
    """What was not done, with reasons."""
    usage: NotRequired[dict[str, Any]]
    artifacts: NotRequired[list[dict[str, Any]]]
    """Names, media types and sizes; the journal holds the content."""


class BackgroundInput(TypedDict):
    """What a background agent is called with."""

    messages: Annotated[list[AnyMessage], add_messages]
    budget: NotRequired[dict[str, Any]]


def create_background_agent(
    model: ModelSource,
    tools: Tools | Callable[[Any], Tools] = (),
    *,
    subagents: Sequence[SubAgent] = (),
    orchestrator_tools: Tools = (),
    system_prompt: str | None = None,
    subagent_prompt: str | None = None,
    budget: Budget | Mapping[str, Any] | None = None,
    requests_per_minute: int | None = None,
    interrupt_on: Mapping[str, bool | Mapping[str, Any]] | None = None,
    journal: JournalSource = DEFAULT_JOURNAL,
    retention: Literal["all", "results"] = "all",
    retry: RetryPolicy | None = None,
    timeouts: Timeouts | None = None,
    compaction: Compaction | None = None,
    result_tokens: int = 30_000,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str = "background_agent",
) -> CompiledStateGraph[BackgroundState, Any, BackgroundInput, BackgroundState]:
    """Make an agent that plans a long task and fans it out to hundreds of sub-agents.

    Args:
        model: The chat model of the orchestrator and of every kind without its own, or a
            function of the runtime context that gives it.
        tools: Tools of the general kind of sub-agent, or a function of the runtime context
            that gives them; it should give the same ones for the same choice.
        subagents: Further kinds.
        orchestrator_tools: Tools of the orchestrator, besides those that start sub-agents.
        system_prompt: Words to the orchestrator, in place of `prompts/orchestrator.md`.
        subagent_prompt: Words to the general kind, in place of `prompts/subagent.md`.
        budget: Limits of a task. The context's and the input's `budget` may lower them, and set
            those that it leaves None or, as plain data, does not name; a higher limit counts as
            this one. Without it the defaults of `Budget` hold where they say nothing.
        requests_per_minute: For all model calls together, such as 40 for NVIDIA's trial keys.
        interrupt_on: Tools that a person approves, by name: True, or
            `{"allowed_decisions": [...]}` as for `HumanInTheLoopMiddleware`.
        journal: A path, `sqlite:///path` or `postgresql://…`, a `Journal`, or a function of the
            runtime context that gives one of them.
        retention: "results" drops the steps of sub-agents that ended, once the task has ended:
            they cannot be continued after.
        retry: How often a call is tried again, by kind of error.
        timeouts: For a call, a tool, and a runnable that gives no sign of life.
        compaction: When and how a sub-agent's conversation is shortened.
        result_tokens: What the results of one turn may take in the orchestrator's context;
            more is merged by sub-agents, or given as excerpts with references.
        context_schema: The runtime context. Its field `budget`, where it has one, is used.
        checkpointer: Keeps the outer graph, so that a run can be resumed.
        store: LangGraph's store, for tools.
        name: The graph's name.

    Returns:
        A compiled graph. Call it with `{"messages": [...], "budget": {...}}`.

    Raises:
        ValueError: For two kinds of one name, or a decision that is not known.
    """
    settings = Settings(
        orchestrator=SubAgent(
            name="orchestrator",
            description="",
            system_prompt=prompt("orchestrator") if system_prompt is None else system_prompt,
            tools=orchestrator_tools,
        ),
        kinds=_kinds(() if callable(tools) else tools, subagents, subagent_prompt),
        budget=Budget.of(budget),
        most=budget,
        requests_per_minute=requests_per_minute,
        retry=retry or RetryPolicy(),
        timeouts=timeouts or Timeouts(),
        compaction=compaction or Compaction(),
        interrupt_on=_allowed(interrupt_on or {}),
        result_tokens=result_tokens,
        saver=checkpointer if isinstance(checkpointer, BaseCheckpointSaver) else None,
    )
    nodes = _Nodes(settings, model, tools if callable(tools) else None, journal, retention)
    graph = StateGraph(
        BackgroundState,
        context_schema=context_schema,
        input_schema=BackgroundInput,
    )
    for node, work, ends in (
        ("orchestrate", nodes.orchestrate, ("orchestrate", "swarm", "report")),
        ("swarm", nodes.swarm, ("orchestrate", "approve", "report")),
        ("report", nodes.report, (END,)),
    ):
        graph.add_node(node, _either_way(work), destinations=ends)
    graph.add_node("approve", nodes.approve, destinations=("swarm",))
    graph.add_edge(START, "orchestrate")
    return graph.compile(checkpointer=checkpointer, store=store, name=name)


def check_decisions(request: Mapping[str, Any], given: Sequence[Mapping[str, Any]]) -> None:
    """Check that decisions answer a request in the schema of `HumanInTheLoopMiddleware`.

    Raises:
        ValueError: There are too few or too many, or one is not allowed.
    """
    actions = request["action_requests"]
    if len(given) != len(actions):
        msg = f"{len(actions)} decisions are needed, {len(given)} were given."
        raise ValueError(msg)
    allowed = {one["action_name"]: one["allowed_decisions"] for one in request["review_configs"]}
    for action, decision in zip(actions, given, strict=True):
        kinds, kind = allowed[action["name"]], decision.get("type")
        if kind not in kinds:
            msg = f"{kind!r} is no decision for {action['name']}; allowed are {', '.join(kinds)}."
            raise ValueError(msg)


def prompt(name: str) -> str:
    """Return one of the prompts beside this module."""
    text = files("langchain_kimi.swarm").joinpath("prompts", f"{name}.md").read_text("utf-8")
    return text.strip()


class _Nodes:
    """The nodes of the graph."""

    def __init__(
        self,
        settings: Settings,
        model: ModelSource,
        tools: Callable[[Any], Tools] | None,
        journal: JournalSource,
        retention: Literal["all", "results"],
    ) -> None:
        self._settings = settings
        self._model = model
        self._tools = tools
        self._journal = journal
        self._retention: Literal["all", "results"] = retention
        self._binders: dict[tuple[int, ...], tuple[Any, Binder]] = {}

    async def orchestrate(self, state: BackgroundState, config: RunnableConfig) -> Command[Any]:
        """Let the orchestrator take its step."""
        async with self._entered(state, config) as (run, session):
            return await self._orchestrate(run, session, state)

    async def _orchestrate(
        self, run: str, session: Session, state: BackgroundState
    ) -> Command[Any]:
        await session.task(state["messages"], self._budget(state))
        told = session.unread(state["messages"])
        said, verdict = await session.orchestrate([*state["messages"], *told])
        messages = [*told, *said]
        update: dict[str, Any] = {"messages": messages, "run": run}
        reply = messages[-1] if messages else None
        goes_on = isinstance(reply, AIMessage) and bool(
            reply.tool_calls or reply.invalid_tool_calls
        )
        if goes_on and verdict.grant is Grant.STEP:
            return Command(goto="swarm", update=update)
        if goes_on and isinstance(reply, AIMessage):
            update["messages"] = [*messages, *_not_run(reply, verdict.reason)]
        elif verdict.grant is Grant.STEP and session.unread([*state["messages"], *messages]):
            return Command(goto="orchestrate", update=update)  # something was said meanwhile
        return Command(goto="report", update=update)

    async def swarm(self, state: BackgroundState, config: RunnableConfig) -> Command[Any]:
        """Answer the orchestrator's tool calls; leave when a person is asked."""
        async with self._entered(state, config) as (_, session):
            return await self._swarm(session, state)

    async def _swarm(self, session: Session, state: BackgroundState) -> Command[Any]:
        session.define(state["messages"])
        for key, decision in state.get("decisions", {}).items():
            session.swarm.answer(key, decision)
        reply = next(m for m in reversed(state["messages"]) if isinstance(m, AIMessage))
        turn = session.turn(reply)
        while not turn.done() and not session.swarm.questions:
            session.swarm.asked.clear()
            asked = asyncio.ensure_future(session.swarm.asked.wait())
            try:
                await asyncio.wait({turn, asked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
        if not turn.done():
            waiting = [asdict(question.request) for question in session.swarm.questions.values()]
            return Command(goto="approve", update={"waiting": waiting})
        after = "report" if session.swarm.cancelled else "orchestrate"
        return Command(goto=after, update={"messages": turn.result(), "decisions": {}})

    def approve(self, state: BackgroundState) -> Command[Any]:
        """Put the waiting tool calls before a person; the siblings work on meanwhile."""
        waiting = state.get("waiting", [])
        request = {
            "action_requests": [
                {
                    "name": item["name"],
                    "args": item["args"],
                    "description": item["description"],
                }
                for item in waiting
            ],
            "review_configs": [
                {"action_name": name, "allowed_decisions": list(allowed)}
                for name, allowed in {item["name"]: item["allowed"] for item in waiting}.items()
            ],
        }
        answer = interrupt(request)
        if answer == RESUMED:
            return Command(goto="swarm", update={"waiting": []})
        given = answer["decisions"]
        check_decisions(request, given)
        decisions = dict(state.get("decisions", {}))
        for item, decision in zip(waiting, given, strict=True):
            decisions[item["key"]] = decision
        return Command(goto="swarm", update={"decisions": decisions, "waiting": []})

    async def report(self, state: BackgroundState, config: RunnableConfig) -> dict[str, Any]:
        """Write the report, keep what is to be kept, and let the run go."""
        async with self._entered(state, config) as (_, session):
            found = await finish(session, state["messages"], self._retention)
            await live_runs.drop(session)
            return found

    @asynccontextmanager
    async def _entered(
        self, state: BackgroundState, config: RunnableConfig
    ) -> AsyncIterator[tuple[str, Session]]:
        """Join the run where it lives, or open it from its journal.

        Whoever stops the graph stops the swarm: its work stays on disk, and no call is made after.
        """
        runtime = get_runtime()
        run = str(
            config.get("configurable", {}).get("thread_id") or state.get("run") or uuid.uuid4().hex
        )
        context = runtime.context
        where = self._journal(context) if callable(self._journal) else self._journal

        async def make(journal: Journal) -> Session:
            return await Session.open(journal, run, self._binder(context), self._budget(state))

        session = await live_runs.enter(run, self, where, make)
        try:
            session.attach(
                config=_plain(config),
                writer=cast("Any", runtime.stream_writer),
                context=context,
                store=runtime.store,
            )
            yield run, session
        except BaseException:
            await live_runs.drop(session)
            raise
        finally:
            session.inside -= 1

    def _binder(self, context: Any) -> Binder:
        """Return the kinds bound to the context's model and tools, made once for each choice."""
        model = self._model if isinstance(self._model, BaseChatModel) else self._model(context)
        tools = () if self._tools is None else tuple(self._tools(context))
        key = (id(model), *map(id, tools))
        if key not in self._binders:
            settings = self._settings
            if self._tools is not None:
                general = replace(settings.kinds[GENERAL], tools=tools)
                settings = replace(settings, kinds={**settings.kinds, GENERAL: general})
            if len(self._binders) >= _MOST_BINDERS:
                del self._binders[next(iter(self._binders))]
            self._binders[key] = ((model, tools), Binder(settings, model))
        return self._binders[key][1]

    def _budget(self, state: BackgroundState) -> Budget:
        context = get_runtime().context
        base = Budget.of(getattr(context, "budget", None), self._settings.budget)
        return Budget.of(state.get("budget"), base).within(self._settings.most)


def _either_way(
    work: Callable[[Any, RunnableConfig], Coroutine[Any, Any, Any]],
) -> RunnableLambda[Any, Any]:
    """Return a node that works for `ainvoke` and, in a loop of its own, for `invoke`."""

    def sync(state: Any, config: RunnableConfig) -> Any:
        return live_runs.BACKGROUND.run(work(state, config))

    return RunnableLambda(sync, afunc=work, name=work.__name__)


def _kinds(
    tools: Tools,
    subagents: Sequence[SubAgent],
    general_prompt: str | None,
) -> dict[str, SubAgent]:
    general = SubAgent(
        name=GENERAL,
        description="Does any task that no other kind is for.",
        system_prompt=prompt("subagent") if general_prompt is None else general_prompt,
        tools=tools,
    )
    reduce = SubAgent(name=REDUCE, description="", system_prompt=prompt("reduce"), internal=True)
    kinds: dict[str, SubAgent] = {GENERAL: general, REDUCE: reduce}
    for kind in subagents:
        if kind.name in kinds and kind.name != GENERAL:
            msg = f"There are two kinds of sub-agents named {kind.name!r}. Give each its own name."
            raise ValueError(msg)
        kinds[kind.name] = kind
    return kinds


def _allowed(interrupt_on: Mapping[str, bool | Mapping[str, Any]]) -> dict[str, Sequence[str]]:
    allowed: dict[str, Sequence[str]] = {}
    for tool, value in interrupt_on.items():
        if value is False:
            continue
        decisions = DECISIONS if value is True else value["allowed_decisions"]
        if unknown := sorted(set(decisions) - set(DECISIONS)):
            known = ", ".join(DECISIONS)
            msg = f"interrupt_on[{tool!r}] allows {', '.join(unknown)}; known are {known}."
            raise ValueError(msg)
        allowed[tool] = tuple(decisions)
    return allowed


def _plain(config: RunnableConfig) -> RunnableConfig:
    """Return what sub-agents take over from the node: who listens, and for what it stands."""
    taken: RunnableConfig = {"metadata": dict(config.get("metadata", {}))}
    if "callbacks" in config:
        taken["callbacks"] = config["callbacks"]
    return taken


def _not_run(reply: AIMessage, reason: str) -> list[ToolMessage]:
    text = f"Not run: the run has reached {reason}."
    calls: list[Any] = [*reply.tool_calls, *reply.invalid_tool_calls]
    return [
        ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status="error")
        for call in calls
    ]
