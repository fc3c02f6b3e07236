"""MCP and A2A, which the server speaks by itself, and crons that fire: the caller's own too."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.server.conftest import KEYS

pytestmark = pytest.mark.timeout(180)
SAY = {"messages": [{"role": "user", "content": "x"}]}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def rpc(url: str, path: str, caller: str | None, method: str, **params: Any) -> Any:
    """Return the status and the body of a JSON-RPC call."""
    headers = ACCEPT | ({"Authorization": f"Bearer {KEYS[caller]}"} if caller else {})
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        reply = await client.post(path, json=body)
        return reply.status_code, reply.json()


async def test_mcp_asks_who_calls_and_runs_as_the_caller(guarded: str) -> None:
    begin = {
        "protocolVersion": "2025-03-26",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    assert (await rpc(guarded, "/mcp", None, "initialize", **begin))[0] == 401
    assert (await rpc(guarded, "/mcp", "bob", "initialize", **begin))[0] == 200
    _, listed = await rpc(guarded, "/mcp", "bob", "tools/list")
    assert {"tool_use", "tenant"} <= {tool["name"] for tool in listed["result"]["tools"]}
    _, told = await rpc(
        guarded, "/mcp", "bob", "tools/call", name="tenant", arguments={"messages": SAY["messages"]}
    )
    assert "'content': 'bob'" in told["result"]["content"][0]["text"]


async def test_a2a_asks_who_calls_and_keeps_threads_apart(guarded: str, alice: Any) -> None:
    (assistant,) = await alice.assistants.search(
        graph_id="tenant", metadata={"created_by": "system"}
    )
    path = f"/a2a/{assistant['assistant_id']}"
    message = {"role": "user", "parts": [{"kind": "text", "text": "x"}], "messageId": "m"}
    assert (await rpc(guarded, path, None, "message/send", message=message))[0] == 401
    _, told = await rpc(guarded, path, "bob", "message/send", message=message)
    assert told["result"]["artifacts"][0]["parts"] == [{"kind": "text", "text": "bob"}]
    thread = (await alice.threads.create())["thread_id"]
    message["contextId"] = thread
    _, refused = await rpc(guarded, path, "bob", "message/send", message=message)
    assert refused["error"]["data"]["error_type"] == "thread_not_found"
    assert await alice.runs.list(thread) == []


async def test_a_cron_fires_as_its_caller(alice: Any, bob: Any) -> None:
    thread = (await alice.threads.create())["thread_id"]
    cron = await alice.crons.create_for_thread(thread, "tenant", schedule="* * * * * *", input=SAY)
    try:
        async with asyncio.timeout(30):
            while len(said := await _said(alice, thread)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await alice.crons.delete(cron["cron_id"])
    assert said[1]["content"] == "alice"
    assert thread not in {one["thread_id"] for one in await bob.threads.search(limit=1000)}


async def _said(client: Any, thread: str) -> list[Any]:
    """Return a thread's messages; while a run works, its input may be the only one."""
    values = (await client.threads.get_state(thread))["values"]
    return values["messages"] if values else []


@pytest.mark.parametrize(
    "url", ["http://203.0.113.7/hook", "https://10.0.0.1/hook", "https://127.0.0.1/hook", "/hook"]
)
async def test_a_webhook_goes_to_public_hosts_by_https_alone(bob: Any, url: str) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        await bob.runs.wait(None, "tenant", input=SAY, webhook=url)
    assert refused.value.response.status_code == 422
