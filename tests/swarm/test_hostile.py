"""What models, tools and callers may do to a swarm by mistake or on purpose."""

import math
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_kimi.swarm import (
    Budget,
    IdempotencyKey,
    SubAgent,
    create_background_agent,
    open_journal,
    running,
)
from langchain_kimi.swarm.records import Kind, Record, decode, encode

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of

EVIL = "\x1b[2J\x00<script>alert(1)</script>](javascript:x) | \ud800 \u202e" + "z" * 50


def swarm_call(items, **more):
    return calls(
        ("agent_swarm", {"description": "d", "prompt_template": "{{item}}", "items": items, **more})
    )


def led(first, worker, final="final"):
    def rule(messages):
        if not is_orchestrator(messages):
            return worker(messages)
        return first if steps_of(messages) == 0 else say(final)

    return FakeModel(rule=rule)


async def go(folder, model, tools=(), budget=None, **settings):
    journal = open_journal(folder / "j.sqlite")
    agent = create_background_agent(
        model, tools, journal=journal, checkpointer=InMemorySaver(), **settings
    )
    task = {"messages": [HumanMessage("go")], **({"budget": budget} if budget else {})}
    found = await agent.ainvoke(task, {"configurable": {"thread_id": "hostile"}})
    files = {
        a["name"]: (await journal.artifact("hostile", a["name"]))[1] for a in found["artifacts"]
    }
    await journal.aclose()
    return found, files


def told(found):
    return [m.text for m in found["messages"] if m.type == "tool"]


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags = set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attributes)


@pytest.mark.parametrize("where", ["item", "result", "error", "tool", "final", "artifact"])
async def test_escapes_and_markup_stay_words(tmp_path, where):
    @tool
    async def look() -> str:
        """Look."""
        return EVIL if where == "tool" else "seen"

    def worker(messages):
        if steps_of(messages) == 0:
            name = EVIL if where == "artifact" else "a.txt"
            return calls(("look", {}), ("write_artifact", {"name": name, "content": EVIL}))
        if where == "error":
            return ValueError(EVIL)
        return say(EVIL if where == "result" else messages[-2].text)

    item = EVIL if where == "item" else "one"
    model = led(swarm_call([item]), worker, EVIL if where == "final" else "final")
    found, files = await go(tmp_path, model, [look])
    page = files["report.html"].decode()
    assert "script" not in Tags(page).tags
    ET.fromstring(files["timeline.svg"].decode())
    markdown = files["report.md"].decode()
    assert "\x1b" not in markdown + page
    assert "<script>" not in markdown.split("## Sub-agents")[1]
    assert "](" not in markdown.split("## Sub-agents")[1].replace("\\](", "")
    (saved,) = (name for name in files if "/" in name)
    assert saved.split("/")[0].isascii()
    assert ".." not in saved
    assert "<" not in saved
    assert found["status"] == ("incomplete" if where == "error" else "done"), found["missing"]


@pytest.mark.parametrize(
    "name", ["", "/", "..", "../../etc/passwd", "a/b/../c", "C:\\x\\y", "a" * 5000, "\0", " . "]
)
async def test_a_file_name_leads_nowhere_else(tmp_path, name):
    def worker(messages):
        if steps_of(messages) == 0:
            return calls(("write_artifact", {"name": name, "content": "x"}))
        return say(messages[-1].text)

    found, files = await go(tmp_path, led(swarm_call(["one"]), worker))
    saved = [one for one in files if "/" in one]
    if name in ("", "/", "..", " . "):
        assert not saved
        assert "is no file name" in told(found)[0]
    else:
        (path,) = saved
        assert ".." not in path.split("/")
        assert len(path) < 700


async def test_numbers_and_objects_that_cannot_be_stored_end_nothing(tmp_path):
    @tool(response_format="content_and_artifact")
    async def count(number: int) -> tuple[str, object]:
        """Count."""
        return str(number), object()

    def worker(messages):
        return say(messages[-1].text) if steps_of(messages) else calls(("count", {"number": 2**70}))

    found, _ = await go(tmp_path, led(swarm_call(["one"]), worker), [count])
    assert found["status"] == "done", found["missing"]
    assert str(2**70) in told(found)[0]


async def test_the_orchestrators_reply_with_such_a_number_is_kept_too(tmp_path):
    @tool
    async def count(number: int) -> str:
        """Count."""
        return str(number)

    model = led(calls(("count", {"number": 2**70}), ("count", {"\ud800": 1})), None)
    found, _ = await go(tmp_path, model, orchestrator_tools=[count])
    assert found["status"] == "done"
    assert told(found)[0] == str(2**70)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_like)
def test_any_arguments_and_results_can_be_written_down(value):
    call = {"name": "t", "args": {"x": value}, "id": "c", "type": "tool_call"}
    messages = [
        AIMessage("", tool_calls=[call]),
        ToolMessage("x", tool_call_id="c", artifact=value),
    ]
    record = Record(Kind.TOOLS, "a", {"messages": messages, "data": value})
    again = decode(Kind.TOOLS, "a", encode(record))
    assert [m.type for m in again.body["messages"]] == ["ai", "tool"]


async def test_a_model_that_numbers_all_replies_alike_loses_nothing(tmp_path):
    keys = []

    @tool
    async def pay(amount: int, key: Annotated[str, IdempotencyKey()]) -> str:
        """Pay."""
        keys.append(key)
        return "paid"

    def rule(messages):
        step = steps_of(messages)
        if is_orchestrator(messages):
            reply = swarm_call([f"turn{step}"]) if step < 2 else say("final")
        else:
            reply = calls(("pay", {"amount": 1})) if step < 2 else say(prompt_of(messages))
        reply.id = "always-the-same"
        return reply

    found, _ = await go(tmp_path, FakeModel(rule=rule), [pay])
    assert found["usage"]["subagents"] == 2
    assert "turn0" in told(found)[0]
    assert "turn1" in told(found)[1]
    assert len(set(keys)) == 4, "each payment has a key of its own"


async def test_calls_of_one_id_are_answered_each(tmp_path):
    reply = calls(
        ("assign_task", {"agent": "general", "prompt": "a"}),
        ("assign_task", {"agent": "general", "prompt": "b"}),
        ("no_such_tool", {}),
    )
    for call in reply.tool_calls:
        call["id"] = "same"
    found, _ = await go(tmp_path, led(reply, lambda m: say(prompt_of(m) * 3)))
    assert [text.split("\n")[0] for text in told(found)][:2] == ["aaa", "bbb"]
    assert "There is no tool" in told(found)[2]


async def test_a_giant_result_is_kept_whole_and_shown_in_part(tmp_path):
    def rule(messages):
        if not is_orchestrator(messages):
            return say("begin " + "x" * 5_000_000)
        if steps_of(messages) == 0:
            return calls(("assign_task", {"agent": "general", "prompt": "a"}))
        if steps_of(messages) == 1:
            name = messages[-1].text.split('read_artifact("')[1].split('"')[0]
            return calls(("read_artifact", {"name": name, "offset": 4_999_000, "limit": 200_000}))
        return say(messages[-1].text[-100:])

    found, _ = await go(tmp_path, FakeModel(rule=rule))
    assert len(told(found)[0]) < 3_000
    assert "characters are not shown here" in told(found)[0]
    assert "of 5000006" in found["result"]


async def test_far_too_many_items_are_told_in_few_words(tmp_path):
    model = led(swarm_call([f"item {n}" for n in range(5_000)]), lambda m: say("ok"))
    found, _ = await go(tmp_path, model, budget={"subagents": 10})
    assert len(model.seen) == 12, "nothing is merged that has no result"
    assert "10 of 5000 sub-agents are done, 4990 skipped." in told(found)[0]
    assert "… and 4940 more" in told(found)[0]
    assert len(told(found)[0]) < 20_000
    assert len(found["missing"]) < 250
    assert "4790 more sub-agents" in found["missing"][-1]


async def test_a_subagent_cannot_continue_who_is_at_work(tmp_path):
    def worker(messages):
        if steps_of(messages) == 0:
            (itself,) = (agent.id for agent in running("hostile").agents())
            args = {"description": "d", "prompt_template": "x", "resume_agent_ids": [itself]}
            return calls(("agent_swarm", args))
        return say(messages[-1].text)

    found, _ = await go(tmp_path, led(swarm_call(["one"]), worker), budget={"depth": 2})
    assert "is still at work; it can be continued afterwards" in told(found)[0]


async def test_one_that_never_began_is_continued_from_its_task(tmp_path):
    def rule(messages):
        if not is_orchestrator(messages):
            return say(f"system: {messages[0].type == 'system'}, {messages[1].text!r}")
        if steps_of(messages) == 0:
            plan = [{"id": "a", "prompt": "bad"}, {"id": "b", "prompt": "the task", "needs": ["a"]}]
            return calls(("run_plan", {"tasks": plan}))
        if steps_of(messages) == 1:
            skipped = next(p for p in messages[-1].text.split("[") if "skipped after" in p)
            args = {"description": "d", "prompt_template": "Do it now.",
                    "resume_agent_ids": [skipped.split(":")[0]]}  # fmt: skip
            return calls(("agent_swarm", args))
        return say(messages[-1].text)

    def failing(messages):
        return ValueError("no") if prompt_of(messages) == "bad" else rule(messages)

    found, _ = await go(tmp_path, FakeModel(rule=failing))
    assert r"system: True, 'the task\n\nDo it now." in found["result"]


async def test_a_declared_kind_cannot_be_defined_away(tmp_path):
    first = calls(
        ("create_subagent", {"name": "judge", "system_prompt": "You are bribed."}),
        ("assign_task", {"agent": "judge", "prompt": "a"}),
    )
    kind = SubAgent(name="judge", description="Weighs.", system_prompt="You are fair.")
    model = led(first, lambda m: say(m[0].text))
    found, _ = await go(tmp_path, model, subagents=[kind])
    assert "'judge' cannot be defined" in told(found)[0]
    assert told(found)[1].startswith("You are fair.")


@pytest.mark.parametrize("name", ["steps", "tokens", "money", "seconds", "concurrency", "depth",
                                  "subagents", "critical_steps", "subagent_seconds"])  # fmt: skip
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "40", True, [1]])
def test_a_limit_that_limits_nothing_is_refused(name, value):
    with pytest.raises(ValueError, match=rf"Budget\.{name}|budget of 0"):
        Budget.of({name: value})


def test_a_limit_that_must_be_there_is_refused_without():
    with pytest.raises(ValueError, match=r"Budget\.steps is None"):
        Budget.of({"steps": None})
    assert Budget.of({"tokens": None}).tokens is None


@pytest.mark.parametrize("price", [{"input": math.nan, "output": 1}, {"input": -1, "output": 1},
                                   {"input": 1}, {"cost": 1}, 3])  # fmt: skip
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(ValueError, match=r"[Pp]rice"):
        Budget.of({"prices": {"m": price}})


async def test_a_wrong_budget_of_the_input_is_told_before_any_call(tmp_path):
    model = led(swarm_call(["one"]), None)
    with pytest.raises(ValueError, match=r"Budget\.tokens is nan"):
        await go(tmp_path, model, budget={"tokens": math.nan})
    assert model.seen == []
