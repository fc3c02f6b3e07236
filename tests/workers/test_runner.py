"""A runner without a queue: what is asked, answered, wished and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_kimi.swarm import RetryPolicy, create_background_agent
from langchain_kimi.workers import Task
from langchain_kimi.workers.runner import Runner, Wishes
from tests.swarm.fakes import FakeModel, calls, is_orchestrator, say, steps_of

APPROVE = {"type": "approve"}


@tool
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@tool
async def count() -> str:
    """Count the money."""
    return "counted"


def both_pay(messages: Any) -> Any:
    """Two sub-agents pay; the second one some steps later."""
    if is_orchestrator(messages):
        asked = (("assign_task", {"agent": "general", "prompt": f"pay {n}"}) for n in (1, 2))
        return say("All paid.") if steps_of(messages) else calls(*asked)
    amount = int(next(m.text for m in messages if m.type == "human")[-1])
    if messages[-1].type == "tool" and messages[-1].name == "pay":
        return say(messages[-1].text)
    if amount == 2 and steps_of(messages) < 3:
        return calls(("count", {}))
    return calls(("pay", {"amount": amount}))


class Office:
    """Runners on one journal, one after the other, as workers are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saver = InMemorySaver()
        self.model: Any = None
        self.runner: Runner
        self.work: asyncio.Task[dict[str, Any]]

    def begin(self, wishes: Wishes | None = None, **options: Any) -> None:
        agent = create_background_agent(
            self.model,
            [pay, count],
            interrupt_on={"pay": True},
            journal=self.folder / "journal.sqlite",
            checkpointer=self.saver,
            retry=RetryPolicy(attempts=1),
        )
        self.runner = Runner(agent, **options)
        self.work = asyncio.ensure_future(self.runner.run("run", Task(task="pay"), wishes))

    async def ask(self, command: str, argument: Any = None) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while (said := await self.runner.control("run", command, argument)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return said

    async def seen(self, amounts: list[int]) -> list[str]:
        """Wait until the requests that are shown are these; return their ids."""
        async with asyncio.timeout(30):
            while True:
                asked = (await self.ask("look"))["asked"] or {"action_requests": [], "ids": []}
                found = {
                    one["args"]["amount"]: key
                    for one, key in zip(asked["action_requests"], asked["ids"], strict=True)
                }
                if sorted(found) == amounts:
                    return [found[amount] for amount in amounts]
                await asyncio.sleep(0.01)

    async def end(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            return await self.work


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path)
    yield office
    await office.runner.stop()


async def test_a_second_sub_agents_request_is_seen_while_the_first_waits(office: Office) -> None:
    office.model = FakeModel(rule=both_pay)
    office.begin()
    one, two = await office.seen([1, 2])
    assert await office.ask("answer", {two: APPROVE}) == {}
    assert await office.seen([1]) == [one]
    again = await office.ask("answer", {two: APPROVE})
    assert "was answered, or has ended" in again["error"]
    assert await office.ask("answer", {one: {"type": "reject", "message": "Too much."}}) == {}
    told = await office.end()
    assert told["status"] == "done"


async def test_what_nobody_asks_for_any_more_is_not_waited_for(office: Office) -> None:
    office.model = FakeModel(rule=both_pay)
    office.begin()
    await office.seen([1, 2])
    first, second = [one["id"] for one in (await office.ask("look"))["agents"]]
    await office.ask("cancel", first)
    async with asyncio.timeout(30):
        while len((await office.ask("look"))["asked"]["ids"]) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await office.ask("cancel", second)
    assert (await office.end())["status"] == "incomplete"


async def test_what_was_asked_is_asked_again_by_whoever_takes_the_run_over(office: Office) -> None:
    office.model = FakeModel(rule=both_pay)
    office.begin()
    asked = await office.seen([1, 2])
    await office.runner.stop()
    office.model = FakeModel(rule=both_pay)
    office.begin()
    assert await office.seen([1, 2]) == asked
    assert await office.ask("answer", dict.fromkeys(asked, APPROVE)) == {}
    assert (await office.end())["status"] == "done"
    assert len(office.model.seen) == 3, "the ends of both sub-agents, and the orchestrator's"


async def test_a_paused_run_stays_paused_when_it_is_taken_over(office: Office) -> None:
    office.model = FakeModel(rule=both_pay)
    office.begin(Wishes(paused=True))
    assert (await office.ask("look"))["paused"]
    assert "resume it first" in (await office.ask("send", "x"))["error"]
    assert not office.model.seen
    await office.ask("resume")
    one, two = await office.seen([1, 2])
    await office.ask("answer", {one: APPROVE, two: APPROVE})
    assert (await office.end())["status"] == "done"


@pytest.mark.parametrize("wishes", [Wishes(cancelled=True), Wishes(paused=True)])
async def test_a_run_that_was_cancelled_while_nobody_had_it_ends_with_what_it_has(
    office: Office, wishes: Wishes
) -> None:
    office.model = FakeModel(rule=both_pay)
    office.begin()
    await office.seen([1, 2])
    await office.runner.stop()
    office.begin(wishes)
    if wishes.paused:
        await office.ask("cancel")
    told = await office.end()
    assert told["status"] == "cancelled"
    assert len(told["missing"]) >= 2


@pytest.mark.parametrize("command", ["cancel", "pause"])
async def test_what_is_said_at_the_very_beginning_holds(office: Office, command: str) -> None:
    office.model = FakeModel(rule=both_pay)
    office.begin()
    async with asyncio.timeout(30):
        while (said := await office.runner.control("run", command, None)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert "error" not in said
    if command == "pause":
        assert (await office.ask("look"))["counts"]["steps"] == 0
        assert not office.model.seen
        await office.ask("resume")
        one, two = await office.seen([1, 2])
        await office.ask("answer", {one: APPROVE, two: APPROVE})
    assert (await office.end())["status"] == ("cancelled" if command == "cancel" else "done")
    assert bool(office.model.seen) == (command == "pause")


async def test_a_cancelled_run_does_not_wait_for_its_orchestrators_call(office: Office) -> None:
    office.model = FakeModel(rule=both_pay, delay=3600)
    office.begin()
    async with asyncio.timeout(30):
        while not office.model.seen:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await office.ask("cancel") == {"stopped": 0}
    assert (await office.end())["status"] == "cancelled"
    assert office.model.in_flight == 0


async def test_patience_is_counted_from_the_first_failure_in_a_row(office: Office) -> None:
    failed: set[int] = set()

    def rule(messages: Any) -> Any:
        """Fail once at each of six steps, for longer in all than the patience."""
        step = steps_of(messages)
        if step not in failed:
            failed.add(step)
            return ConnectionError("away")
        return calls(("list_artifacts", {})) if step < 5 else say("Done.")

    office.model = FakeModel(rule=rule)
    office.begin(patience=0.25, pause=0.2)
    assert (await office.end())["status"] == "done"
    assert len(failed) == 6
    office.model = FakeModel(rule=lambda _: ConnectionError("away"))
    office.saver = InMemorySaver()
    office.folder /= "other"
    office.folder.mkdir()
    office.begin(patience=0.25, pause=0.2)
    with pytest.raises(ConnectionError):
        await office.end()
    assert len(office.model.seen) == 2
