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
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, convert_to_messages
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError, InternalServerError, NotFoundError
from pydantic import SecretStr, TypeAdapter

logger = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("6d1e2a2c-6d0f-4b6e-9d0b-7f1f6f0a4c11")
_BUSY = ("pending", "running")
_LOST = (httpx.TransportError, ConnectionError, InternalServerError)
_FROM_THE_FIRST = "-1"
"""The id before that of the first event: a stream that is joined again goes on without a gap."""
_LOOK_SECONDS = 0.2
_FAREWELL_SECONDS = 0.5
"""How long a cancelled sub-agent waits for its server; the rest is done behind its back."""
_TIMEOUT = httpx.Timeout(300, connect=5)
_MESSAGE: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)


class RemoteUnavailableError(ConnectionError):
    """None of the servers of a remote sub-agent can be reached; it is tried again."""


class RemoteRunError(RuntimeError):
    """A run on another server ended with an error of its own."""


class _ForgottenError(ConnectionError):
    """A server does not know a run any more that it had: it was started anew, and lost it."""


class _State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    structured_response: NotRequired[Any]
    asked: NotRequired[dict[str, Any]]
    """What the remote run asks a person: its id, and the value of its interrupt."""


class _Found(TypedDict):
    """How a remote run came to rest."""

    values: dict[str, Any]
    asked: dict[str, Any] | None


def remote_graph(
    graph: str,
    urls: Sequence[str] | str,
    *,
    api_key: str | SecretStr | None = None,
    headers: Mapping[str, str] | None = None,
    context: Mapping[str, Any] | None = None,
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
    remote = _Remote(graph, servers, key, dict(headers or {}), context)
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
        api_key: str | None,
        headers: dict[str, str],
        context: Mapping[str, Any] | None,
    ) -> None:
        self._graph = graph
        self._servers = servers
        self._context = context

        sent = {**headers, **({"x-api-key": api_key} if api_key else {})}

        def make(url: str) -> LangGraphClient:
            # of our own, for the SDK's tries half a minute before it gives a server up
            return LangGraphClient(httpx.AsyncClient(base_url=url, headers=sent, timeout=_TIMEOUT))

        self._make = make
        self._farewells: set[asyncio.Task[None]] = set()

    async def run(
        self, state: _State, config: RunnableConfig
    ) -> Command[Literal["ask", "__end__"]]:
        """Have the work done, or wait for the run that does it already."""
        thread = _thread(config)
        (call, *_) = await AsyncCallbackManager.configure(
            config.get("callbacks")
        ).on_chat_model_start({"name": self._graph}, [list(state["messages"])])
        try:
            found = await self._anywhere(thread, state, call.on_llm_new_token)
        except BaseException as error:
            await call.on_llm_error(error)
            raise
        messages = [_message(one) for one in found["values"].get("messages") or ()]
        await call.on_llm_end(LLMResult(generations=[[ChatGeneration(message=_bill(messages))]]))
        if found["asked"] is not None:
            return Command(goto="ask", update={"asked": found["asked"]})
        update = {"messages": messages[-1:]}
        if "structured_response" in found["values"]:
            update["structured_response"] = found["values"]["structured_response"]
        return Command(goto="__end__", update=update)

    async def ask(self, state: _State, config: RunnableConfig) -> Command[Literal["run"]]:
        """Put what the remote run asks before a person, and give it the answer."""
        asked = state["asked"]
        answer = interrupt(asked["value"])
        try:
            await self._answer(_thread(config), asked, answer)
        except (*_LOST, NotFoundError) as error:
            logger.warning("%s is gone with what it asked: %s", _host(asked["url"]), _name(error))
        return Command(goto="run")

    async def _answer(self, thread: str, asked: Mapping[str, Any], answer: Any) -> None:
        """Answer a remote run, unless it was answered before a kill."""
        async with self._make(asked["url"]) as client:
            found = await _at_rest(client, thread)
            if found is not None and (found["asked"] or {}).get("id") == asked["id"]:
                await client.runs.create(
                    thread,
                    self._graph,
                    command={"resume": {asked["id"]: answer}},
                    context=self._context,
                    stream_mode=["updates"],
                    stream_resumable=True,
                    durability="sync",
                )

    async def _anywhere(self, thread: str, state: _State, alive: Any) -> _Found:
        """Do the work on the first server that can be reached to its end."""
        lost: list[str] = []
        asked_by = state.get("asked", {}).get("url")
        for url in sorted(self._servers, key=lambda url: (url != asked_by, _rank(thread, url))):
            try:
                async with self._make(url) as client:
                    found = await self._on(client, thread, state["messages"], alive)
            except _LOST as error:
                lost.append(f"{_host(url)}: {_name(error)}")
            except asyncio.CancelledError:
                await self._bid_farewell(url, thread)
                raise
            else:
                if found["asked"] is not None:
                    found["asked"]["url"] = url
                return found
        msg = f"no server of {self._graph!r} can be reached: {', '.join(lost)}"
        raise RemoteUnavailableError(msg)

    async def _bid_farewell(self, url: str, thread: str) -> None:
        """Have a server cancel what it does in a thread; a slow one holds nobody up."""
        task = asyncio.ensure_future(self._cancelled(url, thread))
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)
        await asyncio.wait([task], timeout=_FAREWELL_SECONDS)

    async def _cancelled(self, url: str, thread: str) -> None:
        try:
            async with self._make(url) as client:
                for run in await _busy(client, thread):
                    await client.runs.cancel(thread, run)
        except (*_LOST, APIStatusError) as error:
            logger.warning("a run on %s was not cancelled: %s", _host(url), _name(error))

    async def _on(
        self, client: LangGraphClient, thread: str, messages: list[AnyMessage], alive: Any
    ) -> _Found:
        """Join the run of a thread, begin one, or take what it came to."""
        await client.threads.create(thread_id=thread, if_exists="do_nothing")
        busy = await _busy(client, thread)
        found = None if busy else await _at_rest(client, thread)
        if found is not None:
            return found
        run_id = busy[0] if busy else await self._begin(client, thread, messages)
        try:
            await self._follow(client, thread, run_id, alive)
            found = await _at_rest(client, thread)
        except NotFoundError as error:
            msg = f"the server has lost run {run_id}"
            raise _ForgottenError(msg) from error
        if found is None:
            msg = f"the run on {self._graph!r} was cut off"
            raise RemoteRunError(msg)
        return found

    async def _follow(self, client: LangGraphClient, thread: str, run_id: str, alive: Any) -> None:
        """Wait for a run's end; its stream may end before it does.

        Raises:
            RemoteRunError: It did not succeed.
        """
        said = ""
        while True:
            async for part in client.runs.join_stream(
                thread, run_id, last_event_id=_FROM_THE_FIRST
            ):
                await alive("")
                if part.event == "error":
                    said = _words(part.data)
            status = (await client.runs.get(thread, run_id))["status"]
            if status not in _BUSY:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        if status not in ("success", "interrupted"):
            raise RemoteRunError(said or f"the run on {self._graph!r} ended as {status!r}")

    async def _begin(self, client: LangGraphClient, thread: str, messages: list[AnyMessage]) -> str:
        """Begin the work, or go on with what the server was cut off in."""
        state: Any = await client.threads.get_state(thread)
        asked = next(one for one in reversed(messages) if one.type == "human")
        new: dict[str, Any] = {"messages": [{"role": "user", "content": asked.content}]}
        create: Any = client.runs.create
        run = await create(
            thread,
            self._graph,
            input=None if state.get("next") else new,
            context=self._context,
            stream_mode=["updates"],
            stream_resumable=True,
            durability="sync",
        )
        return str(run["run_id"])


async def _at_rest(client: LangGraphClient, thread: str) -> _Found | None:
    """Return what a thread came to; None when nothing was done in it, or it was cut off."""
    state: Any = await client.threads.get_state(thread)
    values = state.get("values") or {}
    asked = [one for task in state.get("tasks") or () for one in task.get("interrupts") or ()]
    if asked:
        return _Found(values=values, asked={"id": asked[0]["id"], "value": asked[0]["value"]})
    if not values.get("messages") or state.get("next"):
        return None
    return _Found(values=values, asked=None)


async def _busy(client: LangGraphClient, thread: str) -> list[str]:
    """Return the runs of a thread that have not ended."""
    return [run["run_id"] for run in await client.runs.list(thread) if run["status"] in _BUSY]


def _message(data: Any) -> BaseMessage:
    """Read a message of a server, as LangGraph writes it (with its usage) or as OpenAI does."""
    if isinstance(data, Mapping) and "type" in data:
        return _MESSAGE.validate_python(data)
    return convert_to_messages([data])[0]


def _bill(messages: Sequence[BaseMessage]) -> AIMessage:
    """Return the last reply with the usage of all."""
    total: UsageMetadata | None = None
    for message in messages:
        if isinstance(message, AIMessage):
            total = add_usage(total, message.usage_metadata)
    text = messages[-1].text if messages else ""
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
    return type(error).__name__.strip("_")


def _words(data: Any) -> str:
    if isinstance(data, Mapping):
        return f"{data.get('error', 'error')}: {data.get('message', '')}"[:500]
    return str(data)[:500]
