"""A conversation with an agent in the terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from langchain_kimi.agents import create_tool_agent
from langchain_kimi.cli.transcript import Transcript
from langchain_kimi.middleware import Budget

RUNS_CODE = ("run_python", "shell")

Agent = CompiledStateGraph[Any, Any, Any, Any]
Approve = Callable[[dict[str, Any]], bool]


class Session:
    """Sends messages to an agent and prints what it does."""

    def __init__(self, agent: Agent, transcript: Transcript, approve: Approve) -> None:
        self.agent = agent
        self.transcript = transcript
        self.approve = approve
        self.config: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}}

    def send(self, text: str) -> None:
        """Send a message and follow the run to its end."""
        given: Any = {"messages": [HumanMessage(text)]}
        try:
            while given is not None:
                given = self._follow(given)
        finally:
            self.transcript.close()

    def _follow(self, given: Any) -> Command[Any] | None:
        """Print a run until it ends or pauses; return the answer to a pause."""
        stream: Iterator[Any] = self.agent.stream(
            given, self.config, stream_mode=["messages", "updates"]
        )
        decisions: list[dict[str, Any]] = []
        for mode, data in stream:
            if mode == "updates" and "__interrupt__" in data:
                for pause in data["__interrupt__"]:
                    decisions += [self._decide(r) for r in pause.value["action_requests"]]
            else:
                self.transcript.feed(mode, data)
        return Command(resume={"decisions": decisions}) if decisions else None

    def _decide(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.approve(request):
            return {"type": "approve"}
        return {"type": "reject", "message": "The user does not want this to run."}


def make_agent(
    model: BaseChatModel,
    tools: Sequence[BaseTool],
    middleware: Sequence[AgentMiddleware[Any, Any, Any]],
    *,
    max_steps: int | None,
) -> Agent:
    """Make the agent of a command; a person approves what runs code."""
    given = [*tools, *(tool for one in middleware for tool in one.tools)]
    asked = {tool.name for tool in given}.intersection(RUNS_CODE)
    return create_tool_agent(
        model,
        tools,
        middleware=middleware,
        budget=Budget(steps=max_steps),
        interrupt_on={name: {"allowed_decisions": ["approve", "reject"]} for name in asked},
        checkpointer=InMemorySaver(),
    )
