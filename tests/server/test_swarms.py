"""A background run is steered through either server, by its caller alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import APIStatusError, ConflictError, NotFoundError

from langchain_kimi.testing import KimiServer, call, say, slow_first_token

pytestmark = pytest.mark.timeout(180)

ITEMS = ["quick", "busy", "stuck"]
COMMANDS: dict[str, dict[str, Any]] = {
    "cancel": {},
    "pause": {},
    "resume": {},
    "send": {"text": "I am in."},
}


class Model:
    """Leads three sub-agents: one ends at once, one works until it is let go, one never answers."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, body: dict[str, Any]) -> Any:
        messages = body["messages"]
        if messages[0]["content"].startswith("You lead a swarm"):
            if any(message["role"] == "assistant" for message in messages):
                return say("All studied.")
            args = {"description": "d", "prompt_template": "Study {{item}}", "items": ITEMS}
            return call("agent_swarm", **args)
        asked = next(m["content"] for m in messages if m["role"] == "user")
        if asked == "Study stuck":
            return [slow_first_token(600), say("never")]
        if asked == "Study busy" and not self.let_go.is_set():
            return [slow_first_token(0.1), call("read_file", path="pyproject.toml", line_count=1)]
        return say(f"{asked}: read.")


@pytest.fixture
def model(kimi: KimiServer) -> Iterator[Model]:
    model = Model()
    kimi.clear()
    kimi.respond_with(model)
    yield model
    kimi.respond_with(None)


@pytest.fixture(scope="module")
def guarded(either_server: str) -> str:
    """The URL of either server, in place of the development server's."""
    return either_server


class Run:
    """A background run of a caller's."""

    def __init__(self, client: Any, thread: str, run: str) -> None:
        self.client, self.thread, self.run = client, thread, run

    async def post(self, command: str, body: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = await self.client.http.post(
            f"/swarms/{self.thread}/{command}", json=body
        )
        return done

    async def look(self) -> dict[str, Any]:
        seen: dict[str, Any] = await self.client.http.get(f"/swarms/{self.thread}")
        return seen

    async def until(self, **statuses: str) -> dict[str, dict[str, Any]]:
        """Wait until sub-agents, by their labels, have these statuses; return all of them."""
        async with asyncio.timeout(60):
            while True:
                agents = {one["label"]: one for one in (await self.look())["agents"]}
                if statuses.items() <= {k: one["status"] for k, one in agents.items()}.items():
                    return agents
                await asyncio.sleep(0.05)

    async def ended(self) -> dict[str, Any]:
        await self.client.runs.join(self.thread, self.run)
        values: dict[str, Any] = (await self.client.threads.get_state(self.thread))["values"]
        return values


async def begun(client: Any, kimi: KimiServer, graph: str = "background") -> Run:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(
        thread,
        graph,
        input={"messages": [{"role": "user", "content": "Study"}]},
        context={"base_url": kimi.base_url},
    )
    return Run(client, thread, run["run_id"])


@pytest.fixture
async def run(alice: Any, kimi: KimiServer, model: Model) -> AsyncIterator[Run]:
    run = await begun(alice, kimi)
    yield run
    model.let_go.set()


def told(values: dict[str, Any]) -> str:
    return next(str(m["content"]) for m in values["messages"] if m["type"] == "tool")


async def test_one_subagent_is_cancelled_and_the_others_are_paused_and_go_on(
    run: Run, kimi: KimiServer, model: Model
) -> None:
    agents = await run.until(quick="done", busy="running", stuck="running")
    seen = await run.look()
    assert (seen["thread_id"], seen["status"], seen["at_work"]) == (run.thread, "busy", True)
    assert seen["counts"]["total"] == 3
    assert agents["quick"]["steps"] == 1
    assert agents["quick"]["tokens"] > 0
    await run.post("send", {"text": "Name the licence, too."})

    assert await run.post("cancel", {"subagent": agents["stuck"]["id"]}) == {"stopped": 1}
    await run.until(quick="done", busy="running", stuck="cancelled")

    await run.post("pause", {})
    assert (await run.look())["paused"]
    async with asyncio.timeout(60):  # what is in flight comes to its end; then nothing begins
        steps, before = (await run.look())["counts"]["steps"], -1
        while steps != before:
            await asyncio.sleep(1)
            steps, before = (await run.look())["counts"]["steps"], steps
    model.let_go.set()
    await run.until(busy="running")
    await run.post("resume", {})

    values = await run.ended()
    assert values["result"] == "All studied."
    assert "Study quick: read." in told(values)
    assert "Study busy: read." in told(values)
    assert [item.partition(" ")[0] for item in values["missing"]] == ["stuck"]
    assert "Name the licence, too." in str(kimi.requests[-1]["messages"])
    seen = await run.look()
    assert (seen["status"], seen["at_work"], seen["agents"]) == ("idle", False, [])


async def test_all_are_cancelled_by_their_caller_alone_and_partial_results_are_kept(
    run: Run, bob: Any, guarded: str
) -> None:
    await run.until(quick="done", busy="running", stuck="running")
    foreign = Run(bob, run.thread, run.run)
    with pytest.raises(NotFoundError):
        await bob.http.get(f"/swarms/{run.thread}")
    for command, body in COMMANDS.items():
        with pytest.raises(NotFoundError, match=f"There is no thread '{run.thread}'"):
            await foreign.post(command, body)
    async with httpx.AsyncClient(base_url=guarded) as nobody:
        for headers in ({}, {"Authorization": "Bearer lck_wrong"}, {"x-api-key": "lck_wrong"}):
            nobody.headers = httpx.Headers(headers)
            statuses = [(await nobody.get(f"/swarms/{run.thread}")).status_code]
            for command, body in COMMANDS.items():
                reply = await nobody.post(f"/swarms/{run.thread}/{command}", json=body)
                statuses.append(reply.status_code)
            assert set(statuses) == {401}, headers
        assert (await nobody.get("/healthz")).status_code == 200

    seen = await run.look()
    assert not seen["paused"]
    assert seen["counts"]["running"] == 2
    assert await run.post("cancel", {}) == {"stopped": 2}
    values = await run.ended()
    assert values["status"] == "cancelled"
    assert "Study quick: read." in told(values)
    assert "quick: quick-" in values["result"], "a reference to what it had"
    assert sorted(item.partition(" ")[0] for item in values["missing"]) == ["busy", "stuck"]
    assert "I am in." not in str(values["messages"])


UNKNOWN = "6d7a2f0e-3c19-4a58-9b1d-0c8e5f2a7b64"


@pytest.mark.parametrize("thread", [UNKNOWN, "search", "no-thread", "x%3Flimit=1"])
async def test_a_thread_that_is_not_there_is_not_found(alice: Any, thread: str) -> None:
    with pytest.raises(NotFoundError):
        await alice.http.get(f"/swarms/{thread}")
    with pytest.raises(NotFoundError):
        await alice.http.post(f"/swarms/{thread}/cancel", json={})


async def test_what_cannot_be_done_is_explained(run: Run, alice: Any) -> None:
    await run.until(quick="done", busy="running")
    with pytest.raises(NotFoundError, match="the run has no sub-agent 'nobody'"):
        await run.post("cancel", {"subagent": "nobody"})
    for command, body in (("cancel", {"agent": "quick"}), ("send", {"text": ""}), ("send", {})):
        with pytest.raises(APIStatusError) as refused:
            await run.post(command, body)
        assert refused.value.status_code == 422
    assert (await run.look())["counts"]["running"] == 2, "a misspelt name stops nobody"
    await run.post("cancel", {})
    await run.ended()
    for command, body in COMMANDS.items():
        with pytest.raises(ConflictError, match="Nothing of the thread is at work"):
            await run.post(command, body)


async def test_a_run_that_is_not_in_this_process_is_a_conflict(
    alice: Any, kimi: KimiServer, model: Model
) -> None:
    kimi.respond_with(lambda _: [slow_first_token(600), say("never")])
    run = await begun(alice, kimi, "tool_use")
    async with asyncio.timeout(60):
        while not kimi.requests:  # noqa: ASYNC110 - the endpoint has no event for it
            await asyncio.sleep(0.05)
    for command, body in COMMANDS.items():
        with pytest.raises(ConflictError, match="another process has it"):
            await run.post(command, body)
    seen = await run.look()
    assert (seen["status"], seen["at_work"], seen["agents"]) == ("busy", False, [])
    await alice.runs.cancel(run.thread, run.run, wait=True)
