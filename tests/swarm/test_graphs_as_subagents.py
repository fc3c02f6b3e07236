"""Compiled graphs as sub-agents: they go on after a stop, and their questions reach the person."""

import asyncio
import itertools

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.exceptions import ModelRateLimitError
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from langchain_kimi.swarm import (
    RetryPolicy,
    SubAgent,
    create_background_agent,
    delete_run,
    open_journal,
    running,
)

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of

CONFIG = {"configurable": {"thread_id": "graphs"}}
STEPS = 4


def chain(model, steps=STEPS, **compiled):
    """A graph of so many model calls, one after the other."""

    async def node(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    names = [f"node{n}" for n in range(steps)]
    for name in names:
        builder.add_node(name, node)
    builder.add_edge(START, names[0])
    for one, other in itertools.pairwise(names):
        builder.add_edge(one, other)
    return builder.compile(**compiled)


def led(*requests, final="All done."):
    def rule(messages):
        if not is_orchestrator(messages):
            return say(f"{prompt_of(messages)} is done")
        return calls(*requests) if steps_of(messages) == 0 else say(final)

    return FakeModel(rule=rule)


def task(kind, prompt="x"):
    return ("assign_task", {"agent": kind, "prompt": prompt})


def background(folder, model, graph, saver, **settings):
    kind = SubAgent(name="graph", description="A graph.", runnable=graph)
    return create_background_agent(
        model,
        subagents=[kind],
        journal=folder / "j.sqlite",
        checkpointer=saver,
        retry=RetryPolicy(wait=0.001, longest_wait=0.01),
        **settings,
    )


def told(found):
    return [m.text for m in found["messages"] if m.type == "tool"]


@pytest.mark.parametrize("own", [True, False])
async def test_after_a_stop_it_goes_on_where_it_was(tmp_path, own):
    slow = asyncio.Event()
    waiting = asyncio.Event()

    async def hold():
        if len(inner.seen) == 3:
            waiting.set()
            await slow.wait()

    class Held(FakeModel):
        async def _reply(self, messages):
            reply = await super()._reply(messages)
            await hold()
            return reply

    inner = Held(rule=lambda m: say(f"step {steps_of(m)}"))
    graph = chain(inner, checkpointer=InMemorySaver() if own else None)
    agent = background(tmp_path, led(task("graph")), graph, InMemorySaver())
    run = asyncio.create_task(agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG))
    await waiting.wait()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    slow.set()
    found = await agent.ainvoke(None, CONFIG)
    assert told(found)[0].startswith("step 3")
    assert [steps_of(messages) for messages in inner.seen] == [0, 1, 2, 2, 3]
    assert found["usage"]["steps"] == STEPS + 2, (
        "steps before the stop count, the lost one does not"
    )


async def test_one_that_wants_no_checkpointer_begins_anew(tmp_path):
    inner = FakeModel(rule=lambda _: say("x"))
    graph = chain(inner, checkpointer=False)
    found = await background(tmp_path, led(task("graph")), graph, InMemorySaver()).ainvoke(
        {"messages": [HumanMessage("go")]}, CONFIG
    )
    assert found["status"] == "done"


async def test_it_is_continued_in_its_own_conversation(tmp_path):
    inner = FakeModel(rule=lambda m: say(f"{sum(one.type == 'human' for one in m)} prompts"))

    def rule(messages):
        if steps_of(messages) == 0:
            return calls(task("graph"))
        if steps_of(messages) == 1:
            agent = messages[-1].text.split("[")[1].split(":")[0]
            return calls(
                ("agent_swarm", {"description": "d", "prompt_template": "More",
                                 "resume_agent_ids": [agent]})
            )  # fmt: skip
        return say(messages[-1].text)

    agent = background(tmp_path, FakeModel(rule=rule), chain(inner, 1), InMemorySaver())
    found = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    assert "2 prompts" in found["result"]
    assert len(inner.seen) == 2


async def test_a_429_inside_puts_it_back_into_the_queue_with_its_context(tmp_path):
    refused = []

    def rule(messages):
        if steps_of(messages) == 2 and len(refused) < 2:
            error = ModelRateLimitError("slow down")
            error.retry_after = 0.01
            refused.append(error)
            return error
        return say(f"step {steps_of(messages)}")

    inner = FakeModel(rule=rule)
    agent = background(tmp_path, led(task("graph")), chain(inner), InMemorySaver())
    found = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    assert found["status"] == "done", found["missing"]
    assert [steps_of(messages) for messages in inner.seen] == [0, 1, 2, 2, 2, 3]
    assert found["usage"]["rate_limited"] == 2
    assert found["usage"]["steps"] == STEPS + 2


@tool
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def asking_agent():
    def rule(messages):
        return say(messages[-1].text) if steps_of(messages) else calls(("pay", {"amount": 5}))

    gate = HumanInTheLoopMiddleware({"pay": {"allowed_decisions": ["approve", "edit", "reject"]}})
    return create_agent(FakeModel(rule=rule), [pay], middleware=[gate])


@pytest.mark.parametrize(
    ("decision", "result"),
    [
        ({"type": "approve"}, "paid 5"),
        ({"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 3}}}, "paid 3"),
        ({"type": "reject", "message": "Too dear."}, "Too dear."),
    ],
)
async def test_what_an_agent_inside_asks_reaches_the_person(tmp_path, decision, result):
    model = led(task("graph"), task("general", "sibling"))
    agent = background(tmp_path, model, asking_agent(), InMemorySaver())
    found = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    (asked,) = found["__interrupt__"]
    (request,) = asked.value["action_requests"]
    assert (request["name"], request["args"]) == ("pay", {"amount": 5})
    assert asked.value["review_configs"] == [
        {"action_name": "pay", "allowed_decisions": ["approve", "edit", "reject"]}
    ]
    handle = running("graphs")
    while sum(one.status == "done" for one in handle.agents()) < 1:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    found = await agent.ainvoke(Command(resume={"decisions": [decision]}), CONFIG)
    assert found["status"] == "done"
    assert result in told(found)[0]


async def test_a_question_of_another_form_is_answered_in_words(tmp_path):
    def ask(state):
        return {"messages": [("ai", f"You said {interrupt({'which': 'colour'})}")]}

    graph = StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask").compile()
    agent = background(tmp_path, led(task("graph")), graph, InMemorySaver())
    found = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    (request,) = found["__interrupt__"][0].value["action_requests"]
    assert request["args"] == {"question": {"which": "colour"}}
    answer = {"type": "respond", "message": "blue"}
    found = await agent.ainvoke(Command(resume={"decisions": [answer]}), CONFIG)
    assert told(found)[0].startswith("You said blue")


async def test_without_a_checkpointer_asking_is_told_as_the_reason(tmp_path):
    agent = background(tmp_path, led(task("graph")), asking_agent(), None)
    found = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    assert "it asks a person, and has nowhere to wait" in found["missing"][0]


@pytest.mark.parametrize("retention", ["all", "results"])
async def test_retention_drops_its_checkpoints_too(tmp_path, retention):
    saver = InMemorySaver()
    inner = FakeModel(rule=lambda _: say("x"))
    agent = background(tmp_path, led(task("graph")), chain(inner), saver, retention=retention)
    await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    threads = {thread for thread in saver.storage if thread.startswith("graphs/")}
    assert len(threads) == (1 if retention == "all" else 0)


async def test_a_wrong_key_inside_is_not_tried_by_hundreds(tmp_path):
    from langchain_core.exceptions import ModelAuthenticationError

    inner = FakeModel(rule=lambda _: ModelAuthenticationError("wrong key"))
    items = {"description": "d", "prompt_template": "{{item}}", "subagent_type": "own",
             "items": [f"i{n}" for n in range(50)]}  # fmt: skip
    kind = SubAgent(
        name="own",
        description="Own.",
        runnable=RunnableLambda(lambda state: state["messages"][-1].text) | inner,
    )
    agent = create_background_agent(
        led(("agent_swarm", items)), subagents=[kind], journal=tmp_path / "j.sqlite"
    )
    found = await agent.ainvoke(
        {"messages": [HumanMessage("go")], "budget": {"concurrency": 3}}, CONFIG
    )
    assert len(inner.seen) <= 6
    assert len(found["missing"]) == 50


async def test_a_deleted_run_leaves_no_thread_behind(tmp_path):
    saver, journal = InMemorySaver(), open_journal(tmp_path / "j.sqlite")
    inner = FakeModel(rule=lambda _: say("x"))
    kind = SubAgent(name="graph", description="A graph.", runnable=chain(inner))
    agent = create_background_agent(
        led(task("graph")), subagents=[kind], journal=journal, checkpointer=saver
    )
    await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    assert {thread.split("/")[0] for thread in saver.storage} == {"graphs"}
    await delete_run(journal, "graphs", checkpointer=saver)
    await delete_run(journal, "graphs", checkpointer=saver)
    assert not saver.storage
    assert await journal.runs() == []
    await journal.aclose()
