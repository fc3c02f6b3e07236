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
    BaseMessage,
    convert_to_openai_messages,
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
    BUSY,
    MALFORMED,
    Rest,
    Run,
    at_rest,
    busy_runs,
    has_asked,
    last_question,
    messages_of,
    state_of,
    status_of,
)

logger = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("6d1e2a2c-6d0f-4b6e-9d0b-7f1f6f0a4c11")
_LOST = (httpx.TransportError, ConnectionError, InternalServerError, *MALFORMED)
_TIMEOUT = httpx.Timeout(300, connect=5)
_FROM_THE_FIRST = "-1"
"""The id before that of the first event: a stream that is joined again goes on without a gap."""
_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.2, 5.0
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_FAREWELL_SECONDS = 0.5
"""How long a cancelled sub-agent waits for its server; the rest is done behind its back."""


class RemoteUnavailableError(ConnectionError):
    """None of the servers of a remote sub-agent can be reached; it is tried again."""


class RemoteRunError(RuntimeError):
    """A run on another server ended with an error of its own."""


class RemoteRefusedError(RemoteRunError):
    """A server refused a request: a wrong key, no such graph, too many requests."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class _ForgottenError(ConnectionError):
    """A server does not know a run any more that it had: it was started anew, and lost it."""


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
            await self._answer(_thread(config), asked, answer)
        except (*_LOST, NotFoundError) as error:
            logger.warning("%s is gone with what it asked: %s", _host(asked["url"]), _name(error))
        return Command(goto="run")

    async def _answer(self, thread: str, asked: _Asked, answer: Any) -> None:
        """Answer a remote run, unless it was answered before a kill."""
        async with self._make(asked["url"]) as client:
            found = at_rest(await state_of(client, thread))
            if found is not None and found.asked is not None and found.asked.id == asked["id"]:
                await self._create(client, thread, command={"resume": {asked["id"]: answer}})

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
                    return url, await self._on(client, thread, state["messages"], alive)
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

    async def _on(
        self, client: LangGraphClient, thread: str, messages: list[AnyMessage], alive: Any
    ) -> Rest:
        """Join the run of a thread, begin one, or take what it came to."""
        await client.threads.create(thread_id=thread, if_exists="do_nothing")
        busy = await busy_runs(client, thread)
        state = await state_of(client, thread)
        found = None if busy else at_rest(state)
        if found is not None and (found.asked or has_asked(found.messages, messages)):
            return found
        if busy:
            run = busy[0]
        else:
            new = self._begun(messages_of(state), messages)
            run = await self._create(client, thread, input=None if state.next else new)
        try:
            await self._follow(client, thread, run, alive)
            found = at_rest(await state_of(client, thread))
        except NotFoundError as error:
            msg = f"the server has lost run {run}"
            raise _ForgottenError(msg) from error
        if found is None:
            msg = f"the run on {self._graph!r} was cut off"
            raise RemoteRunError(msg)
        return found

    async def _follow(self, client: LangGraphClient, thread: str, run: str, alive: Any) -> None:
        """Wait for a run's end; its stream may end before it does.

        Raises:
            RemoteRunError: It did not succeed.
        """
        said, pause = "", _LOOK_SECONDS
        while True:
            async for part in client.runs.join_stream(thread, run, last_event_id=_FROM_THE_FIRST):
                await alive("")
                if part.event == "error":
                    said = self._plain(_words(part.data))
            status = await status_of(client, thread, run)
            if status not in BUSY:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)
        if status not in ("success", "interrupted"):
            raise RemoteRunError(said or f"the run on {self._graph!r} ended as {status!r}")

    def _begun(self, there: list[BaseMessage], here: list[AnyMessage]) -> dict[str, Any]:
        """Return what a run begins with: a server that knows nothing is told all."""
        said = [last_question(here)] if there else [one for one in here if one.type != "system"]
        return {"messages": convert_to_openai_messages(said)}

    async def _create(self, client: LangGraphClient, thread: str, **given: Any) -> str:
        create: Any = client.runs.create
        run = await create(
            thread,
            self._graph,
            context=self._context,
            stream_mode=["updates"],
            stream_resumable=True,
            durability="sync",
            **given,
        )
        return Run.model_validate(run).run_id


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
    return type(error).__name__.strip("_")


def _words(data: Any) -> str:
    if isinstance(data, Mapping):
        return f"{data.get('error', 'error')}: {data.get('message', '')}"[:500]
    return str(data)[:500]
