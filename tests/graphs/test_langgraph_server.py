"""`langgraph dev` with this repository's configuration: booted for real, offline."""

import asyncio
import json
import queue
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from langchain_kimi.testing import KimiServer, call, say, think
from tests.langgraph_dev import langgraph_dev

REPOSITORY = Path(__file__).parents[2]

PAYING = '''
"""A background agent with a tool that a person approves, and one that takes long at first."""

import asyncio

from langchain_core.tools import tool

from background import Context, chosen_model
from langchain_kimi.swarm import create_background_agent

RESTED = []


@tool
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@tool
async def rest() -> str:
    """Rest for an hour, the first time."""
    if not RESTED:
        RESTED.append(True)
        await asyncio.sleep(3600)
    return "rested"


graph = create_background_agent(
    chosen_model,
    [pay, rest],
    interrupt_on={"pay": {"allowed_decisions": ["approve", "reject"]}},
    context_schema=Context,
    name="paying",
)
'''

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def kimi() -> Iterator[KimiServer]:
    with KimiServer("vllm", api_key="not-needed") as server:
        yield server


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Copy what is deployed to a folder of its own, since the server writes its state there."""
    folder = tmp_path_factory.mktemp("deployment")
    shutil.copytree(REPOSITORY / "graphs", folder / "graphs")
    for name in ("langgraph.json", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    (folder / "graphs/paying.py").write_text(PAYING)
    configuration = json.loads((folder / "langgraph.json").read_text())
    configuration["graphs"]["paying"] = "./graphs/paying.py:graph"
    ours = ("require_https", "disable_private_ips", "disable_loopback")
    configuration["webhooks"] = {"url": dict.fromkeys(ours, False)}  # the test's own receiver
    (folder / "langgraph.json").write_text(json.dumps(configuration))
    with langgraph_dev(folder, PYTHONPATH=str(folder / "graphs")) as url:
        yield url


@pytest.fixture
async def client(deployment: str) -> Any:
    async with get_client(url=deployment) as client:
        yield client


def asked(kimi: KimiServer, **choice: Any) -> dict[str, Any]:
    kimi.clear()
    kimi.script(
        think("I read it."),
        call("read_file", path="pyproject.toml", line_count=2),
        think("Enough."),
        say("It is built with hatchling."),
    )
    return {
        "input": {"messages": [{"type": "human", "content": "What builds it?"}]},
        "context": {"base_url": kimi.base_url, **choice},
    }


async def test_the_graph_is_listed_with_its_description_and_form(client) -> None:
    (assistant,) = await client.assistants.search(graph_id="tool_use")
    assert assistant["description"].startswith("Kimi in a loop with tools")
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    assert "thinking" in schemas["context_schema"]["properties"]


async def test_a_run_to_its_end(client, kimi) -> None:
    thread = await client.threads.create()
    state = await client.runs.wait(thread["thread_id"], "tool_use", **asked(kimi))
    kinds = [message["type"] for message in state["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]
    assert state["messages"][1]["additional_kwargs"]["reasoning_content"] == "I read it."
    assert "hatchling" in state["messages"][2]["content"]
    assert state["messages"][-1]["content"] == "It is built with hatchling."


@pytest.mark.parametrize("mode", ["messages-tuple", "messages", "updates", "values", "events"])
async def test_a_streamed_run_and_a_second_turn(client, kimi, mode: str) -> None:
    thread = await client.threads.create()
    parts = [
        part
        async for part in client.runs.stream(
            thread["thread_id"], "tool_use", stream_mode=[mode], **asked(kimi)
        )
    ]
    assert not [part.data for part in parts if part.event == "error"]
    text = "".join(str(part.data) for part in parts)
    assert "I read it." in text
    state = await client.threads.get_state(thread["thread_id"])
    assert state["values"]["messages"][-1]["content"] == "It is built with hatchling."
    kimi.script(say("You are welcome."))
    state = await client.runs.wait(
        thread["thread_id"],
        "tool_use",
        input={"messages": [{"role": "user", "content": "Thanks."}]},
        context={"base_url": kimi.base_url},
    )
    assert state["messages"][-1]["content"] == "You are welcome."
    replayed = kimi.requests[-1]["messages"]
    assert [message["role"] for message in replayed] == [
        "system", "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip
    assert replayed[2]["tool_calls"][0]["id"] == "functions.read_file:0"


async def test_without_an_endpoint_the_stand_in_answers(client) -> None:
    thread = await client.threads.create()
    state = await client.runs.wait(
        thread["thread_id"],
        "tool_use",
        input={"messages": [{"role": "user", "content": "Which licence has pyproject.toml?"}]},
    )
    assert state["messages"][-1]["content"].startswith("Stand-in (no model)")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"root": ".."}, "root='..' is not served: '..' lies outside the root folder"),
        ({"model": "no/such"}, "KimiNotFoundError: "),
        ({"endpoint": "moonshot", "base_url": None}, "set MOONSHOT_API_KEY"),
    ],
)
async def test_a_choice_that_cannot_be_served_is_explained(
    client, kimi, choice: dict[str, Any], said: str
) -> None:
    thread = await client.threads.create()
    state = await client.runs.wait(
        thread["thread_id"], "tool_use", raise_error=False, **asked(kimi, **choice)
    )
    assert said in state["__error__"]["message"]


async def test_an_error_is_said_without_the_key(client, kimi) -> None:
    thread = await client.threads.create()
    given = asked(kimi, model="no/such-model")
    run = await client.runs.create(thread["thread_id"], "tool_use", **given)
    await client.runs.join(thread["thread_id"], run["run_id"])
    state = await client.threads.get(thread["thread_id"])
    assert state["status"] == "error"
    assert "not-needed" not in str(state)


ITEMS = ["one", "two", "three"]


def led(kimi: KimiServer, first: Any) -> None:
    """Let the orchestrator fan out once, and answer for its sub-agents by what they were asked."""

    def reply(body: dict[str, Any]) -> Any:
        messages = body["messages"]
        acts = sum(message["role"] == "assistant" for message in messages)
        if messages[0]["content"].startswith("You lead a swarm"):
            args = {"description": "d", "prompt_template": "Study {{item}}", "items": ITEMS}
            return say("All studied.") if acts else call("agent_swarm", **args)
        asked = next(m["content"] for m in messages if m["role"] == "user")
        if acts == 0 and asked == "Study two" and first is not None:
            return first
        return say(f"{asked}: {messages[-1]['content']}")

    kimi.clear()
    kimi.respond_with(reply)


def task(kimi: KimiServer) -> dict[str, Any]:
    return {
        "input": {"messages": [{"type": "human", "content": "Study the numbers"}]},
        "context": {"base_url": kimi.base_url, "budget": {"subagents": 10}},
    }


def told(state: dict[str, Any]) -> str:
    return next(m["content"] for m in state["messages"] if m["type"] == "tool")


async def test_a_background_run_streams_its_progress_and_ends_with_a_report(client, kimi) -> None:
    led(kimi, call("read_file", path="pyproject.toml", line_count=2))
    thread = await client.threads.create()
    stream = client.runs.stream(
        thread["thread_id"], "background", stream_mode=["custom", "messages-tuple"], **task(kimi)
    )
    parts = [part async for part in stream]
    assert not [part.data for part in parts if part.event == "error"]
    events = [part.data for part in parts if part.event == "custom"]
    assert {event["version"] for event in events} == {1}
    ended = {e["label"]: e["status"] for e in events if e["event"] == "ended" and e["agent"]}
    assert ended == dict.fromkeys(ITEMS, "done")
    spoken = {p.data[1].get("subagent_label") for p in parts if p.event == "messages"}
    assert {*ITEMS, "orchestrator"} <= spoken
    state = (await client.threads.get_state(thread["thread_id"]))["values"]
    assert state["status"] == "done"
    assert state["result"] == "All studied."
    assert "hatchling" in told(state)
    assert state["usage"]["subagents"] == 3
    assert {a["name"] for a in state["artifacts"]} == {"report.html", "report.md", "timeline.svg"}


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_subagents_approval_interrupts_and_is_answered(client, kimi, decision) -> None:
    led(kimi, call("pay", amount=5))
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], "paying", **task(kimi))
    waiting = await client.threads.get(thread["thread_id"])
    assert waiting["status"] == "interrupted"
    (interrupts,) = waiting["interrupts"].values()
    asked = interrupts[0]["value"]
    assert asked["action_requests"][0]["name"] == "pay"
    assert asked["action_requests"][0]["args"] == {"amount": 5}
    assert asked["review_configs"] == [
        {"action_name": "pay", "allowed_decisions": ["approve", "reject"]}
    ]
    state = await client.runs.wait(
        thread["thread_id"],
        "paying",
        command={"resume": {"decisions": [{"type": decision}]}},
        context=task(kimi)["context"],
    )
    assert state["result"] == "All studied."
    assert ("paid 5" in told(state)) == (decision == "approve")
    assert len(kimi.requests) == 6, "nothing was asked for twice"


async def test_a_swarm_that_is_cancelled_while_it_asks_does_not_what_is_approved_late(
    client, kimi
) -> None:
    led(kimi, call("pay", amount=5))
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "paying", **task(kimi))
    seen = await client.http.get(f"/swarms/{thread}")
    assert (seen["status"], seen["at_work"]) == ("interrupted", True)
    assert seen["asked"]["action_requests"][0]["args"] == {"amount": 5}
    assert await client.http.post(f"/swarms/{thread}/cancel", json={}) == {"stopped": 1}
    calls = len(kimi.requests)
    state = await client.runs.wait(
        thread,
        "paying",
        command={"resume": {"decisions": [{"type": "approve"}]}},
        context=task(kimi)["context"],
    )
    assert state["status"] == "cancelled"
    assert "paid 5" not in told(state)
    assert "Study one" in told(state)
    assert len(kimi.requests) == calls, "nothing is asked for after"


async def test_a_cancelled_background_run_calls_no_more_and_can_go_on(client, kimi) -> None:
    led(kimi, call("rest"))
    thread = await client.threads.create()
    run = await client.runs.create(thread["thread_id"], "paying", **task(kimi))
    while len(kimi.requests) < 4:  # noqa: ASYNC110 - the endpoint has no event for it
        await asyncio.sleep(0.05)
    await client.runs.cancel(thread["thread_id"], run["run_id"], wait=True)
    calls = len(kimi.requests)
    state = await client.runs.wait(
        thread["thread_id"], "paying", input=None, context=task(kimi)["context"]
    )
    assert calls == 4
    assert state["result"] == "All studied."
    assert "Study two: rested" in told(state)
    assert len(kimi.requests) == 6, "only what was in flight and what follows"


async def test_a_run_in_the_background_is_joined_and_its_end_told_to_a_webhook(
    client, kimi, receiver: "Receiver"
) -> None:
    led(kimi, None)
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(
        thread,
        "background",
        stream_mode=["custom"],
        stream_resumable=True,
        webhook=receiver.url,
        **task(kimi),
    )
    stream = client.runs.join_stream(thread, run["run_id"], last_event_id="-1")
    events = [part.data async for part in stream if part.event == "custom"]
    ended = [e["label"] for e in events if e["event"] == "ended" and e["agent"]]
    assert sorted(ended) == sorted(ITEMS), "also those that ended before it was joined"
    assert (await client.runs.join(thread, run["run_id"]))["result"] == "All studied."
    (post,) = await asyncio.to_thread(receiver.posts, 1)
    assert (post["run_id"], post["status"]) == (run["run_id"], "success")
    assert post["values"]["result"] == "All studied."


async def test_a_cron_begins_background_runs(client, kimi) -> None:
    led(kimi, None)
    thread = (await client.threads.create())["thread_id"]
    cron = await client.crons.create_for_thread(
        thread, "background", schedule="* * * * * *", **task(kimi)
    )
    try:
        async with asyncio.timeout(60):
            while (values := await _values(client, thread)).get("result") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await client.crons.delete(cron["cron_id"])
    assert values["result"] == "All studied."


async def _values(client: Any, thread: str) -> dict[str, Any]:
    return (await client.threads.get_state(thread))["values"] or {}


class Receiver:
    """Takes the posts of webhooks."""

    def __init__(self) -> None:
        self._posts: queue.Queue[dict[str, Any]] = queue.Queue()
        put = self._posts.put

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def posts(self, count: int) -> list[dict[str, Any]]:
        return [self._posts.get(timeout=30) for _ in range(count)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.05,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


async def test_without_an_endpoint_the_stand_in_leads_subagents(client) -> None:
    thread = await client.threads.create()
    state = await client.runs.wait(
        thread["thread_id"],
        "background",
        input={"messages": [{"role": "user", "content": "Say what each file in graphs/ does."}]},
    )
    assert state["status"] == "done", state["missing"]
    assert state["usage"]["subagents"] >= 3
    assert 'read_file(path="graphs/background.py")' in state["result"]
    assert "Stand-in (no model)" in state["result"]
