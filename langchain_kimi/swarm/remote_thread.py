"""A sub-agent's thread on one server, and its run there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.messages import AnyMessage, BaseMessage, convert_to_openai_messages
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from langchain_kimi.swarm.agent_protocol import (
    BUSY,
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

_FROM_THE_FIRST = "-1"
"""The id before that of the first event: a stream that is joined again goes on without a gap."""
_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.2, 5.0


class RemoteRunError(RuntimeError):
    """A run on another server ended with an error of its own."""


class ForgottenError(ConnectionError):
    """A server does not know a run any more that it had: it was started anew, and lost it."""


class RemoteThread:
    """Begins the run of a thread, or joins it."""

    def __init__(
        self,
        client: LangGraphClient,
        name: str,
        graph: str,
        context: Mapping[str, Any] | None,
        plain: Callable[[str], str],
    ) -> None:
        """Set it up.

        Args:
            client: The server.
            name: The thread's name there.
            graph: The graph's or assistant's id there.
            context: The context of each run.
            plain: Hides what is secret in a server's words.
        """
        self._client = client
        self._name = name
        self._graph = graph
        self._context = context
        self._plain = plain

    async def come_to_rest(self, messages: list[AnyMessage], alive: Any) -> Rest:
        """Join the run of a thread, begin one, or take what it came to."""
        await self._client.threads.create(thread_id=self._name, if_exists="do_nothing")
        busy = await busy_runs(self._client, self._name)
        state = await state_of(self._client, self._name)
        found = None if busy else at_rest(state)
        if found is not None and (found.asked or has_asked(found.messages, messages)):
            return found
        if busy:
            run = busy[0]
        else:
            new = _begun(messages_of(state), messages)
            run = await self._create(input=None if state.next else new)
        try:
            await self._follow(run, alive)
            found = at_rest(await state_of(self._client, self._name))
        except NotFoundError as error:
            msg = f"the server has lost run {run}"
            raise ForgottenError(msg) from error
        if found is None:
            msg = f"the run on {self._graph!r} was cut off"
            raise RemoteRunError(msg)
        return found

    async def _follow(self, run: str, alive: Any) -> None:
        """Wait for a run's end; its stream may end before it does.

        Raises:
            RemoteRunError: It did not succeed.
        """
        said, pause = "", _LOOK_SECONDS
        while True:
            async for part in self._client.runs.join_stream(
                self._name, run, last_event_id=_FROM_THE_FIRST
            ):
                await alive("")
                if part.event == "error":
                    said = self._plain(_words(part.data))
            status = await status_of(self._client, self._name, run)
            if status not in BUSY:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)
        if status not in ("success", "interrupted"):
            raise RemoteRunError(said or f"the run on {self._graph!r} ended as {status!r}")

    async def _create(self, **given: Any) -> str:
        create: Any = self._client.runs.create
        run = await create(
            self._name,
            self._graph,
            context=self._context,
            stream_mode=["updates"],
            stream_resumable=True,
            durability="sync",
            **given,
        )
        return Run.model_validate(run).run_id

    async def answer(self, question: str, answer: Any) -> None:
        """Answer what the run asks, unless it was answered before a kill."""
        found = at_rest(await state_of(self._client, self._name))
        if found is not None and found.asked is not None and found.asked.id == question:
            await self._create(command={"resume": {question: answer}})


def _begun(there: list[BaseMessage], here: list[AnyMessage]) -> dict[str, Any]:
    """Return what a run begins with: a server that knows nothing is told all."""
    said = [last_question(here)] if there else [one for one in here if one.type != "system"]
    return {"messages": convert_to_openai_messages(said)}


def _words(data: Any) -> str:
    if isinstance(data, Mapping):
        return f"{data.get('error', 'error')}: {data.get('message', '')}"[:500]
    return str(data)[:500]
