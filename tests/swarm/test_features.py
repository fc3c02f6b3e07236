"""What the swarm promises beyond the plain fan-out, one test each."""

import asyncio
import itertools
from typing import Annotated

import pytest
from langchain_core.exceptions import ModelAPIError, ModelAuthenticationError, ModelRateLimitError
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel

from langchain_kimi.swarm import (
    IdempotencyKey,
    Progress,
    RetryPolicy,
    SubAgent,
    create_background_agent,
    open_journal,
    running,
)

from .fakes import (
    FakeModel,
    StreamingFakeModel,
    calls,
    is_orchestrator,
    prompt_of,
    say,
    steps_of,
)

QUICK = RetryPolicy(wait=0.001, longest_wait=0.01)


def _swarm_call(items, template="{{item}}", **more):
    args = {"description": "d", "prompt_template": template, "items": items, **more}
    return calls(("agent_swarm", args))


def _led(first, worker, *, final="final"):
    """An orchestrator that makes one turn of calls, and the rule of its sub-agents."""

    def rule(messages):
        if not is_orchestrator(messages):
            return worker(messages)
        return first if steps_of(messages) == 0 else say(final)

    return rule


def _told(found):
    return next(m for m in found["messages"] if m.type == "tool").text


async def _run(tmp_path, rule, *, task="go", model=None, budget=None, **settings):
    settings.setdefault("journal", tmp_path / "j.sqlite")
    model = model or FakeModel(rule=rule, delay=0.001)
    agent = create_background_agent(model, settings.pop("tools", ()), retry=QUICK, **settings)
    given = {"messages": [HumanMessage(task)], **({"budget": budget} if budget else {})}
    return await agent.ainvoke(given, {"configurable": {"thread_id": str(tmp_path)}})


async def test_a_failing_subagent_leaves_its_siblings_alone(tmp_path):
    def worker(messages):
        if prompt_of(messages) == "bad":
            return ValueError("no such thing")
        return say("fine")

    found = await _run(tmp_path, _led(_swarm_call(["a", "bad", "b"]), worker))
    assert found["status"] == "incomplete"
    assert "2 of 3 sub-agents are done, 1 failed." in _told(found)
    assert "ValueError: no such thing" in found["missing"][0]


async def test_a_server_error_is_tried_again(tmp_path):
    tries = itertools.count()

    def worker(messages):
        return ModelAPIError("overloaded") if next(tries) < 2 else say("fine")

    found = await _run(tmp_path, _led(_swarm_call(["a"]), worker))
    assert found["status"] == "done"
    assert found["usage"]["steps"] == 3


async def test_a_429_puts_the_subagent_back_into_the_queue(tmp_path):
    refused: dict[str, int] = {}

    def worker(messages):
        name = prompt_of(messages)
        refused[name] = refused.get(name, 0) + 1
        if refused[name] <= 2:
            error = ModelRateLimitError("slow down")
            error.retry_after = 0.01
            return error
        return say(f"{name} is fine")

    found = await _run(tmp_path, _led(_swarm_call(["a", "b", "c", "d"]), worker))
    assert found["status"] == "done"
    assert found["usage"]["rate_limited"] == 8
    assert found["usage"]["steps"] == 6, "a refused call is no step"


async def test_a_wrong_key_is_not_tried_by_hundreds(tmp_path):
    model = FakeModel(
        rule=_led(
            _swarm_call([f"i{n}" for n in range(50)]),
            lambda _: ModelAuthenticationError("wrong key"),
        )
    )
    found = await _run(tmp_path, None, model=model, budget={"concurrency": 3})
    assert len(model.seen) <= 2 + 6
    assert len(found["missing"]) == 50


async def test_a_plan_starts_each_task_as_soon_as_its_needs_are_done(tmp_path):
    order = []

    class Slow(FakeModel):
        async def _reply(self, messages):
            reply = await super()._reply(messages)
            if not is_orchestrator(messages):
                name = prompt_of(messages).split("\n")[0]
                await asyncio.sleep(0.3 if name == "slow" else 0.01)
                order.append(name)
            return reply

    plan = {
        "tasks": [
            {"id": "slow", "prompt": "slow"},
            {"id": "one", "prompt": "one"},
            {"id": "two", "prompt": "two", "needs": ["one"]},
            {"id": "all", "prompt": "all", "needs": ["slow", "two"]},
        ]
    }
    rule = _led(calls(("run_plan", plan)), lambda m: say(f"<{prompt_of(m)}>"))
    found = await _run(tmp_path, None, model=Slow(rule=rule))
    assert order == ["one", "two", "slow", "all"]
    assert "<two\n\n# Results of what this task builds on\n\n## one (done)\n\n<one>>" in _told(
        found
    )
    assert found["usage"]["critical_steps"] == 2 + 3


async def test_what_needs_a_failed_task_is_skipped_with_the_reason(tmp_path):
    plan = {
        "tasks": [{"id": "one", "prompt": "one"}, {"id": "two", "prompt": "two", "needs": ["one"]}]
    }
    rule = _led(calls(("run_plan", plan)), lambda _: ValueError("broken"))
    found = await _run(tmp_path, rule)
    assert "skipped, it needs one (failed)" in found["missing"][1]


@pytest.mark.parametrize(
    ("tasks", "error"),
    [
        ([{"id": "a", "prompt": "p", "needs": ["a"]}], "circle"),
        ([{"id": "a", "prompt": "p", "needs": ["b"]}], "no task has as its id"),
        ([{"id": "a", "prompt": "p"}, {"id": "a", "prompt": "p"}], "same id"),
    ],
)
async def test_a_plan_without_an_order_is_refused(tmp_path, tasks, error):
    rule = _led(calls(("run_plan", {"tasks": tasks})), lambda _: say("never"))
    found = await _run(tmp_path, rule)
    assert error in _told(found)


class Fact(BaseModel):
    """A fact."""

    subject: str
    year: int


async def test_a_typed_result_is_validated_and_asked_for_again(tmp_path):
    def worker(messages):
        if steps_of(messages) == 0:
            return say("I know: 1969")
        year = "no year" if steps_of(messages) == 1 else 1969
        return calls(("submit_result", {"subject": "moon", "year": year}))

    kind = SubAgent(name="historian", description="Knows years.", response_format=Fact)
    first = calls(("assign_task", {"agent": "historian", "prompt": "When?"}))
    found = await _run(tmp_path, _led(first, worker), subagents=[kind])
    assert '{"subject": "moon", "year": 1969}' in _told(found)


async def test_equal_prompts_run_once_and_are_told_as_the_same(tmp_path):
    model = FakeModel(rule=_led(_swarm_call(["a", "b", "a"]), lambda m: say(prompt_of(m))))
    found = await _run(tmp_path, None, model=model)
    assert found["usage"]["subagents"] == 2
    assert "## 3. a\nThe same as 1." in _told(found)


async def test_two_tasks_in_one_turn_run_together(tmp_path):
    first = calls(
        ("create_subagent", {"name": "poet", "system_prompt": "You rhyme."}),
        ("assign_task", {"agent": "poet", "prompt": "a"}),
        ("assign_task", {"agent": "poet", "prompt": "b"}),
        ("assign_task", {"agent": "nobody", "prompt": "c"}),
    )
    model = FakeModel(rule=_led(first, lambda m: say(m[0].text + prompt_of(m))), delay=0.05)
    found = await _run(tmp_path, None, model=model)
    told = [m.text for m in found["messages"] if m.type == "tool"]
    assert told[0] == "Defined poet."
    assert told[1].startswith("You rhyme.a")
    assert told[2].startswith("You rhyme.b")
    assert "There is no kind of sub-agent 'nobody'" in told[3]
    assert model.most_in_flight == 2


async def test_any_graph_can_be_a_subagent_and_keeps_to_the_budget(tmp_path):
    inner_model = FakeModel(rule=lambda _: say("from inside"))

    async def node(state):
        return {"messages": [await inner_model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("one", node)
    builder.add_node("two", node)
    builder.add_edge(START, "one")
    builder.add_edge("one", "two")
    builder.add_edge("two", END)
    kinds = [
        SubAgent(name="graph", description="A graph.", runnable=builder.compile()),
        SubAgent(name="plain", description="Plain.", runnable=RunnableLambda(lambda _: "plain")),
    ]
    first = calls(
        ("assign_task", {"agent": "graph", "prompt": "x"}),
        ("assign_task", {"agent": "plain", "prompt": "x"}),
    )
    found = await _run(tmp_path, _led(first, None), subagents=kinds)
    told = [m.text for m in found["messages"] if m.type == "tool"]
    assert told[0].startswith("from inside")
    assert told[1].startswith("plain")
    assert found["usage"]["steps"] == 4
    (tmp_path / "second").mkdir()
    found = await _run(tmp_path / "second", _led(first, None), subagents=kinds, budget={"steps": 4})
    assert found["usage"]["steps"] <= 4


async def test_results_larger_than_the_parent_are_merged(tmp_path):
    def worker(messages):
        if messages[0].text.startswith("You merge"):
            return say("merged")
        return say(prompt_of(messages) * 400)

    items = [f"item{n:03}" for n in range(20)]
    found = await _run(tmp_path, _led(_swarm_call(items), worker), result_tokens=500)
    told = _told(found)
    assert len(told) < 4_000
    assert "[Merged from 20 results; each can be opened]" in told
    assert found["usage"]["subagents"] == 20, "merging is the swarm's own work"


async def test_an_artifact_is_written_and_opened_by_the_parent(tmp_path):
    def worker(messages):
        if steps_of(messages) == 0:
            return calls(("write_artifact", {"name": "../t.csv", "content": "a,b"}))
        return say(messages[-1].text)

    def rule(messages):
        if not is_orchestrator(messages):
            return worker(messages)
        if steps_of(messages) == 0:
            return calls(("assign_task", {"agent": "general", "prompt": "p"}))
        if steps_of(messages) == 1:
            name = messages[-1].text.split(" as ")[1].split("\n")[0]
            return calls(("read_artifact", {"name": name}))
        return say(messages[-1].text)

    found = await _run(tmp_path, rule)
    assert found["result"] == "a,b"
    assert any(a["name"].endswith("/t.csv") and ".." not in a["name"] for a in found["artifacts"])


async def test_cancelling_one_and_then_all_keeps_what_they_had(tmp_path):
    def worker(messages):
        return calls(("wait", {}), text=f"{prompt_of(messages)} thinks")

    @tool
    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(3600)
        return "never"

    model = FakeModel(rule=_led(_swarm_call(["a", "b", "c"]), worker))
    agent = create_background_agent(model, [wait], journal=tmp_path / "j.sqlite")
    config = {"configurable": {"thread_id": "cancel"}}
    task = asyncio.create_task(agent.ainvoke({"messages": [HumanMessage("go")]}, config))
    while (handle := running("cancel")) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    while [a.usage.steps for a in handle.agents()] != [1, 1, 1]:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    first = handle.agents()[0]
    assert handle.cancel(first.id) == 1
    while not first.finished:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert first.status == "cancelled"
    assert first.result == "a thinks"
    assert handle.cancel() == 2
    found = await asyncio.wait_for(task, 30)
    assert found["status"] == "cancelled"
    assert len(model.seen) == 4, "no call after"
    assert len(found["missing"]) == 3


async def test_a_paused_swarm_takes_no_step(tmp_path):
    def worker(messages):
        return say("done") if steps_of(messages) == 3 else calls(("tick", {}))

    @tool
    async def tick() -> str:
        """Tick."""
        await asyncio.sleep(0.01)
        return "tock"

    model = FakeModel(rule=_led(_swarm_call(["a", "b"]), worker), delay=0.01)
    agent = create_background_agent(model, [tick], journal=tmp_path / "j.sqlite")
    config = {"configurable": {"thread_id": "pause"}}
    task = asyncio.create_task(agent.ainvoke({"messages": [HumanMessage("go")]}, config))
    while len(model.seen) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    handle = running("pause")
    handle.pause()
    await asyncio.sleep(0.1)
    before = len(model.seen)
    await asyncio.sleep(0.1)
    assert len(model.seen) == before < 10
    handle.resume()
    assert (await task)["status"] == "done"


async def test_cancelling_the_graph_stops_its_children_and_a_resume_goes_on(tmp_path):
    seen = []

    def worker(messages):
        seen.append((prompt_of(messages), steps_of(messages)))
        return say("done") if steps_of(messages) == 5 else calls(("tick", {}))

    @tool
    async def tick() -> str:
        """Tick."""
        await asyncio.sleep(0.01)
        return "tock"

    model = FakeModel(rule=_led(_swarm_call(["a", "b"]), worker), delay=0.01)
    saver = InMemorySaver()
    agent = create_background_agent(
        model, [tick], journal=tmp_path / "j.sqlite", checkpointer=saver
    )
    config = {"configurable": {"thread_id": "outer"}}
    task = asyncio.create_task(agent.ainvoke({"messages": [HumanMessage("go")]}, config))
    while len(seen) < 6:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = len(model.seen)
    await asyncio.sleep(0.1)
    assert len(model.seen) == before
    assert running("outer") is None
    found = await agent.ainvoke(None, config)
    assert found["status"] == "done"
    assert len(seen) - len(set(seen)) <= 2, "at most the step in flight of each"
    assert sum(is_orchestrator(m) for m in model.seen) == 2


async def test_time_travel_forks_the_outer_graph(tmp_path):
    model = FakeModel(rule=_led(_swarm_call(["a"]), lambda m: say("x")))
    agent = create_background_agent(
        model, journal=tmp_path / "j.sqlite", checkpointer=InMemorySaver()
    )
    config = {"configurable": {"thread_id": "fork"}}
    await agent.ainvoke({"messages": [HumanMessage("go")]}, config)
    history = [s async for s in agent.aget_state_history(config)]
    before_swarm = next(s for s in history if s.next == ("swarm",))
    calls_before = len(model.seen)
    found = await agent.ainvoke(None, before_swarm.config)
    assert found["status"] == "done"
    assert len(model.seen) == calls_before, "what is in the journal is not paid for again"
    again = await agent.ainvoke({"messages": [HumanMessage("and now?")]}, config)
    assert again["status"] == "done"
    assert len(model.seen) == calls_before + 1


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("streaming", [True, False])
async def test_streamed_or_not_thinking_or_not(tmp_path, streaming, thinking):
    extra = {"additional_kwargs": {"reasoning_content": "hm"}} if thinking else {}

    def worker(messages):
        if steps_of(messages) == 0:
            reply = calls(("note", {}))
            reply.additional_kwargs.update(extra.get("additional_kwargs", {}))
            return reply
        seen.append(messages)
        return say("the end", **extra)

    @tool
    def note() -> str:
        """Note."""
        return "noted"

    seen: list[list] = []
    kind = StreamingFakeModel if streaming else FakeModel
    model = kind(rule=_led(_swarm_call(["a", "b"]), worker))
    agent = create_background_agent(model, [note], journal=tmp_path / "j.sqlite")
    modes = ["messages", "custom"] if streaming else ["custom"]
    progress, spoken = Progress(), set()
    async for mode, event in agent.astream(
        {"messages": [HumanMessage("go")]},
        {"configurable": {"thread_id": str(tmp_path)}},
        stream_mode=modes,
    ):
        if mode == "custom":
            progress.update(event)
            assert event["version"] == 1
        elif event[0].text.strip() == "end":
            spoken.add(event[1]["subagent"])
    assert progress.counts["done"] == 2
    assert len(spoken) == (2 if streaming else 0)
    for messages in seen:
        replies = [m for m in messages if isinstance(m, AIMessage)]
        assert all(("reasoning_content" in m.additional_kwargs) == thinking for m in replies)
    assert "2 done" in progress._repr_html_()


async def test_subagents_may_start_others_where_the_depth_allows(tmp_path):
    def worker(messages):
        if prompt_of(messages) == "child":
            return say("child's answer")
        if steps_of(messages) == 0:
            return calls(("assign_task", {"agent": "general", "prompt": "child"}))
        return say(messages[-1].text)

    rule = _led(_swarm_call(["parent"]), worker)
    budget = {"depth": 2, "concurrency": 1}
    found = await _run(tmp_path, rule, budget=budget)
    assert "child's answer" in _told(found)
    assert found["usage"]["critical_steps"] == 2 + 3
    (tmp_path / "flat").mkdir()
    flat = await _run(tmp_path / "flat", rule)
    assert flat["usage"]["subagents"] == 1


async def test_a_finished_subagent_is_continued_with_its_context(tmp_path):
    def worker(messages):
        return say(f"I remember {sum(m.type == 'human' for m in messages)} prompts")

    def rule(messages):
        if not is_orchestrator(messages):
            return worker(messages)
        if steps_of(messages) == 0:
            return _swarm_call(["a"])
        if steps_of(messages) == 1:
            agent = messages[-1].text.split("[")[1].split(":")[0]
            return _swarm_call([], "More on {{item}}", resume_agent_ids=[agent])
        return say(messages[-1].text)

    found = await _run(tmp_path, rule)
    assert "I remember 2 prompts" in found["result"]


async def test_seconds_end_the_run_with_what_there_is(tmp_path):
    @tool
    async def hang() -> str:
        """Hang."""
        await asyncio.sleep(3600)
        return "never"

    rule = _led(_swarm_call(["a", "b"]), lambda _: calls(("hang", {}), text="so far"))
    found = await _run(tmp_path, rule, tools=[hang], budget={"seconds": 0.4})
    assert found["status"] == "incomplete"
    assert any("0.4 s of wall time" in line for line in found["missing"])


async def test_retention_drops_the_steps_and_keeps_the_results(tmp_path):
    path = tmp_path / "j.sqlite"
    rule = _led(_swarm_call(["a", "b"]), lambda m: say(prompt_of(m)))
    await _run(tmp_path, rule, journal=path, retention="results")
    journal = open_journal(path)
    kinds = {record.kind.name for record in await journal.read(str(tmp_path))}
    assert kinds == {"TASK", "ORCHESTRATOR", "SPAWN", "END"}
    await journal.aclose()


async def test_the_key_is_hidden_from_the_model_and_given_to_the_tool(tmp_path):
    keys = []

    @tool
    async def pay(amount: int, key: Annotated[str, IdempotencyKey()]) -> str:
        """Pay."""
        keys.append(key)
        return f"paid {amount}"

    assert list(pay.tool_call_schema.model_json_schema()["properties"]) == ["amount"]

    def worker(messages):
        if steps_of(messages):
            return say("done")
        return calls(("pay", {"amount": 1}), ("pay", {"amount": 1}))

    found = await _run(tmp_path, _led(_swarm_call(["a"]), worker), tools=[pay])
    assert found["status"] == "done"
    assert len(set(keys)) == 2
