"""Sub-agents as runs on other servers: LangGraph Server, or any of the Agent Protocol."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import httpx
from langchain_core.callbacks import AsyncCallbackManager
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
)
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError, InternalServerError, NotFoundError
from pydantic import SecretStr

from langchain_kimi.swarm.agent_protocol import (
    MALFORMED,
    Rest,
    busy_runs,
)
from langchain_kimi.swarm.remote_thread import RemoteRunError, RemoteThread

logger = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("6d1e2a2c-6d0f-4b6e-9d0b-7f1f6f0a4c11")
_LOST = (httpx.TransportError, ConnectionError, InternalServerError, *MALFORMED)
_TIMEOUT = httpx.Timeout(300, connect=5)
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_FAREWELL_SECONDS = 0.5
"""How long a cancelled sub-agent waits for its server; the rest is done behind its back."""


class RemoteUnavailableError(ConnectionError):
    """None of the servers of a remote sub-agent can be reached; it is tried again."""


class RemoteRefusedError(RemoteRunError):
    """A server refused a request: a wrong key, no such graph, too many requests."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class _Asked(TypedDict):
    """What a remote run asks a person: where, its id, and the value of its interrupt."""

    url: str
    id: str
    value: Any


class _State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    structured_response: NotRequired[Any]
    asked: NotRequired[_Asked]


def remote_graph(
    graph: str,
    urls: Sequence[str] | str,
    *,
    api_key: str | SecretStr | None = None,
    headers: Mapping[str, str] | None = None,
    context: Mapping[str, Any] | None = None,
    patience: float = 300.0,
    name: str = "remote",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Make a graph that is run by other servers, for `SubAgent(runnable=…)`.

    The thread of each sub-agent has the same name on every attempt, and a server is chosen by it:
    sub-agents spread over the servers, and after a kill one goes back to the run that it has
    there, whether that still works, waits for a person, or has ended. When a server cannot be
    reached the next one does the work. What the remote graph asks a person reaches the person
    here.

    Args:
        graph: The graph's or assistant's id on the servers. Its state has `messages`.
        urls: The servers.
        api_key: Sent as `x-api-key`; shown nowhere.
        headers: Further headers, such as `Authorization`; shown nowhere.
        context: The context of each remote run.
        patience: Seconds that work waits when no server can be reached, such as all that are
            restarted together.
        name: The name of the graph.

    Returns:
        The graph. A remote run counts as one step, with the tokens of all its calls.

    Raises:
        ValueError: There is no URL, or one is not http.
    """
    servers = (urls,) if isinstance(urls, str) else tuple(urls)
    if not servers or not all(url.startswith(("http://", "https://")) for url in servers):
        msg = f"urls={urls!r}: give at least one http:// or https:// address of a server"
        raise ValueError(msg)
    key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    sent = {**(headers or {}), **({"x-api-key": key} if key else {})}
    remote = _Remote(graph, servers, sent, context, patience)
    builder = StateGraph(_State)
    builder.add_node("run", remote.run, destinations=("ask", END))
    builder.add_node("ask", remote.ask, destinations=("run",))
    builder.add_edge(START, "run")
    return builder.compile(name=name)


class _Remote:
    """The nodes: run or join, and ask."""

    def __init__(
        self,
        graph: str,
        servers: tuple[str, ...],
        sent: dict[str, str],
        context: Mapping[str, Any] | None,
        patience: float,
    ) -> None:
        self._graph = graph
        self._servers = servers
        self._context = context
        self._patience = patience

        def make(url: str) -> LangGraphClient:
            # of our own, for the SDK's tries half a minute before it gives a server up
            return LangGraphClient(httpx.AsyncClient(base_url=url, headers=sent, timeout=_TIMEOUT))

        def plain(text: str) -> str:
            for value in {*sent.values(), *(v.rpartition(" ")[2] for v in sent.values())} - {""}:
                text = text.replace(value, "[hidden]")
            return text[:500]

        self._make, self._plain = make, plain
        self._farewells: set[asyncio.Task[None]] = set()

    async def run(
        self, state: _State, config: RunnableConfig
    ) -> Command[Literal["ask", "__end__"]]:
        """Have the work done, or wait for the run that does it already."""
        (call, *_) = await AsyncCallbackManager.configure(
            config.get("callbacks")
        ).on_chat_model_start({"name": self._graph}, [list(state["messages"])])
        try:
            url, found = await self._patiently(_thread(config), state, call.on_llm_new_token)
        except BaseException as error:
            await call.on_llm_error(error)
            raise
        await call.on_llm_end(LLMResult(generations=[[ChatGeneration(message=_bill(found))]]))
        if found.asked is not None:
            asked = _Asked(url=url, id=found.asked.id, value=found.asked.value)
            return Command(goto="ask", update={"asked": asked})
        update: dict[str, Any] = {"messages": found.messages[-1:]}
        if found.structured_response is not None:
            update["structured_response"] = found.structured_response
        return Command(goto="__end__", update=update)

    async def ask(self, state: _State, config: RunnableConfig) -> Command[Literal["run"]]:
        """Put what the remote run asks before a person, and give it the answer."""
        asked = state["asked"]
        answer = interrupt(asked["value"])
        try:
            async with self._make(asked["url"]) as client:
                await self._at(client, _thread(config)).answer(asked["id"], answer)
        except (*_LOST, NotFoundError) as error:
            logger.warning("%s is gone with what it asked: %s", _host(asked["url"]), _name(error))
        return Command(goto="run")

    async def _patiently(self, thread: str, state: _State, alive: Any) -> tuple[str, Rest]:
        """Have the work done as soon as there is a server for it."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._patience, _PAUSE_SECONDS
        while True:
            try:
                return await self._anywhere(thread, state, alive)
            except RemoteUnavailableError:
                if loop.time() + pause > deadline:
                    raise
            await alive("")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _anywhere(self, thread: str, state: _State, alive: Any) -> tuple[str, Rest]:
        """Do the work on the first server that can be reached to its end."""
        lost: list[str] = []
        asked_by = state["asked"]["url"] if "asked" in state else None
        for url in sorted(self._servers, key=lambda url: (url != asked_by, _rank(thread, url))):
            try:
                async with self._make(url) as client:
                    return url, await self._at(client, thread).come_to_rest(
                        state["messages"], alive
                    )
            except _LOST as error:
                lost.append(f"{_host(url)}: {_name(error)}")
            except APIStatusError as error:
                msg = self._plain(f"{_host(url)} answered {error.status_code}: {error.message}")
                raise RemoteRefusedError(msg, error.status_code) from None
            except asyncio.CancelledError:
                await self._bid_farewell(url, thread)
                raise
        msg = f"no server of {self._graph!r} can be reached: {', '.join(lost)}"
        raise RemoteUnavailableError(msg)

    def _at(self, client: LangGraphClient, thread: str) -> RemoteThread:
        return RemoteThread(client, thread, self._graph, self._context, self._plain)

    async def _bid_farewell(self, url: str, thread: str) -> None:
        """Have a server cancel what it does in a thread; a slow one holds nobody up."""
        task = asyncio.ensure_future(self._cancelled(url, thread))
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)
        await asyncio.wait([task], timeout=_FAREWELL_SECONDS)

    async def _cancelled(self, url: str, thread: str) -> None:
        try:
            async with self._make(url) as client:
                for run in await busy_runs(client, thread):
                    await client.runs.cancel(thread, run)
        except (*_LOST, APIStatusError) as error:
            logger.warning("a run on %s was not cancelled: %s", _host(url), _name(error))


def _bill(found: Rest) -> AIMessage:
    """Return the last reply with the usage of all."""
    total: UsageMetadata | None = None
    for message in found.messages:
        if isinstance(message, AIMessage):
            total = add_usage(total, message.usage_metadata)
    text = found.messages[-1].text if found.messages else ""
    return AIMessage(text, usage_metadata=total)


def _thread(config: RunnableConfig) -> str:
    """Return the name of the remote thread: the same on every attempt, and on every server."""
    name = str(config.get("configurable", {}).get("thread_id") or uuid.uuid4())
    return str(uuid.uuid5(_NAMESPACE, name))


def _rank(thread: str, url: str) -> bytes:
    """Order the servers for a thread, each thread in its own way (rendezvous hashing)."""
    return hashlib.blake2b(f"{thread} {url}".encode(), digest_size=8).digest()


def _host(url: str) -> str:
    return httpx.URL(url).netloc.decode()


def _name(error: Exception) -> str:
    if isinstance(error, APIStatusError):
        return str(error.status_code)
    return type(error).__name__
