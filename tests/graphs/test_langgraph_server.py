"""`langgraph dev` with this repository's configuration: booted for real, offline."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from langchain_kimi.testing import KimiServer, call, say, think

REPOSITORY = Path(__file__).parents[2]
BOOT_SECONDS = 90

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
    command = [
        str(Path(sys.executable).with_name("langgraph")), "dev", "--host", "127.0.0.1",
        "--port", "18620", "--no-browser", "--no-reload", "--n-jobs-per-worker", "5",
    ]  # fmt: skip
    environment = {
        "HOME": str(folder),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
        "LANGSMITH_TRACING": "false",
        "NO_COLOR": "1",
        "PATH": os.environ["PATH"],
    }
    with (folder / "log").open("w+") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            yield wait_for(folder / "log", server)
        finally:
            server.terminate()
            server.wait(20)


def wait_for(log: Path, server: subprocess.Popen[bytes]) -> str:
    """Return the URL from the log: the server takes another port when its own is taken."""
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        text = log.read_text()
        url = re.search(r"API: \S*?(http://127\.0\.0\.1:\d+)", text)
        if url and "Application started up" in text:
            return url.group(1)
        time.sleep(0.2)
    pytest.fail(f"langgraph dev did not start:\n{log.read_text()}")


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


async def test_an_error_is_said_without_the_key(client, kimi) -> None:
    thread = await client.threads.create()
    given = asked(kimi, model="no/such-model")
    run = await client.runs.create(thread["thread_id"], "tool_use", **given)
    await client.runs.join(thread["thread_id"], run["run_id"])
    state = await client.threads.get(thread["thread_id"])
    assert state["status"] == "error"
    assert "not-needed" not in str(state)
