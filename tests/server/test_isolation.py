"""What is one caller's is not another's: on a real server, through its SDK."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import jwt
import pytest
from langgraph_sdk.errors import AuthenticationError, NotFoundError

from langchain_kimi.server.users import store_label
from langchain_kimi.testing import KimiServer, call, say
from tests.server.conftest import KEYS, SECRET, client_of

pytestmark = pytest.mark.timeout(180)
Refusal = httpx.HTTPStatusError
SAY = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def guarded(either_server: str) -> str:
    """The URL of either server, in place of the development server's."""
    return either_server


@pytest.fixture
def guarded_by_aegra(request: pytest.FixtureRequest) -> bool:
    """Whether the server is Aegra."""
    return "aegra" in request.node.callspec.id


@contextmanager
def refused(*statuses: int, what: str = "") -> Iterator[None]:
    """Expect one of some HTTP statuses; the SDK has errors of its own for some calls only."""
    with pytest.raises(Refusal) as found:
        yield
    assert found.value.response.status_code in statuses, what


async def found(asked: Any) -> Any:
    """Return an item, or None: LangGraph Server says null, Aegra 404."""
    try:
        return await asked
    except NotFoundError:
        return None


async def made(client: Any, **context: Any) -> tuple[str, str]:
    """Make a thread and a run that ended; return their ids."""
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "tenant", input=SAY, context=context or None)
    await client.runs.join(thread, run["run_id"])
    return thread, run["run_id"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer lck_wrong"},
        {"x-api-key": ""},
        {"x-auth-scheme": "langsmith"},
        {"Authorization": "Bearer " + jwt.encode({"sub": "alice"}, SECRET, "HS256")},
        {"Authorization": "Bearer " + jwt.encode({"sub": "alice", "exp": 1}, SECRET, "HS256")},
        {"Authorization": "Bearer " + jwt.encode({"sub": "a", "exp": 1 << 40}, None, "none")},
        {"Authorization": "Bearer " + jwt.encode({"sub": "a", "exp": 1 << 40}, "x" * 32, "HS256")},
    ],
)
def test_without_a_valid_credential_nothing_is_answered(guarded: str, headers: dict) -> None:
    reply = httpx.post(f"{guarded}/threads/search", json={}, headers=headers)
    assert reply.status_code == 401, reply.text


def test_health_is_told_to_all(guarded: str) -> None:
    assert httpx.get(f"{guarded}/healthz").json() == {"status": "ok"}


async def test_a_key_and_a_token_of_one_name_are_one_caller(guarded: str, alice: Any) -> None:
    thread, _ = await made(alice)
    claims = {"sub": "alice", "exp": int(time.time()) + 60}
    async with client_of(guarded, jwt.encode(claims, SECRET, "HS256")) as same:
        assert (await same.threads.get(thread))["thread_id"] == thread
    async with httpx.AsyncClient(headers={"x-api-key": KEYS["alice"]}) as http:
        assert (await http.get(f"{guarded}/threads/{thread}")).status_code == 200


READS = {
    "get": lambda c, t, r: c.threads.get(t),
    "state": lambda c, t, r: c.threads.get_state(t),
    "history": lambda c, t, r: c.threads.get_history(t),
    "update": lambda c, t, r: c.threads.update(t, metadata={"owner": "bob"}),
    "write": lambda c, t, r: c.threads.update_state(t, SAY),
    "copy": lambda c, t, r: c.threads.copy(t),
    "delete": lambda c, t, r: c.threads.delete(t),
    "run": lambda c, t, r: c.runs.create(t, "tenant", input=SAY),
    "wait": lambda c, t, r: c.runs.wait(t, "tenant", input=SAY),
    "resume": lambda c, t, r: c.runs.wait(t, "tenant", command={"resume": "yes"}),
    "read run": lambda c, t, r: c.runs.get(t, r),
    "join": lambda c, t, r: c.runs.join(t, r),
    "cancel": lambda c, t, r: c.runs.cancel(t, r),
    "delete run": lambda c, t, r: c.runs.delete(t, r),
    "cron": lambda c, t, r: c.crons.create_for_thread(t, "tenant", schedule="0 0 1 1 *", input=SAY),
}


async def _kept(client: Any, thread: str) -> tuple[Any, Any]:
    state = await client.threads.get_state(thread)
    return (await client.threads.get(thread))["metadata"], state["values"]


async def test_another_callers_thread_is_not_there(alice: Any, bob: Any) -> None:
    thread, run = await made(alice)
    before = await _kept(alice, thread)
    for name, attempt in READS.items():
        with refused(404, 405, 409, what=name):  # a copy of what is not there; Aegra copies none
            await attempt(bob, thread, run)
        assert await _kept(alice, thread) == before, name
        assert [found["run_id"] for found in await alice.runs.list(thread)] == [run], name


async def test_another_callers_thread_is_neither_found_nor_streamed(
    alice: Any, bob: Any, guarded_by_aegra: bool
) -> None:
    thread, run = await made(alice)
    assert thread in {t["thread_id"] for t in await alice.threads.search(limit=1000)}
    assert thread not in {t["thread_id"] for t in await bob.threads.search(limit=1000)}
    assert await bob.threads.search(metadata={"owner": "alice"}) == []
    if not guarded_by_aegra:  # which does not count
        assert await bob.threads.count(metadata={"owner": "alice"}) == 0
    with refused(404):
        _ = [part async for part in bob.runs.stream(thread, "tenant", input=SAY)]
    for refused_stream in (bob.runs.join_stream(thread, run), bob.threads.join_stream(thread)):
        assert await _told(refused_stream) == {"error"}
    with refused(404, 409):
        await bob.threads.create(thread_id=thread, if_exists="do_nothing")


async def _told(stream: Any) -> set[str]:
    """Return the kinds of the events of a stream: the servers refuse with an error, or a 404."""
    try:
        parts = stream if hasattr(stream, "__aiter__") else await stream
        return {part.event async for part in parts}
    except NotFoundError:
        return {"error"}


async def test_a_waiting_run_is_resumed_by_its_caller_alone(alice: Any, bob: Any) -> None:
    thread = (await alice.threads.create())["thread_id"]
    await alice.runs.wait(thread, "tenant", input=SAY, context={"pay": True})
    with refused(404):
        await bob.runs.wait(thread, "tenant", command={"resume": "bob"}, context={"pay": True})
    state = await alice.runs.wait(
        thread, "tenant", command={"resume": "alice"}, context={"pay": True}
    )
    assert state["messages"][-1]["content"] == "alice"


async def test_an_owner_cannot_be_claimed(alice: Any, bob: Any) -> None:
    thread = await bob.threads.create(metadata={"owner": "alice"})
    assert thread["metadata"]["owner"] == "bob"
    changed = await bob.threads.update(thread["thread_id"], metadata={"owner": "alice"})
    assert changed["metadata"]["owner"] == "bob"
    await bob.runs.wait(
        None, "tenant", input=SAY, metadata={"owner": "alice"}, on_completion="keep"
    )
    assert all(t["metadata"]["owner"] == "alice" for t in await alice.threads.search(limit=1000))


async def test_assistants_of_graphs_are_for_all_and_own_ones_are_not(alice: Any, bob: Any) -> None:
    assert {a["graph_id"] for a in await bob.assistants.search()} >= {"tool_use", "tenant"}
    own = (await alice.assistants.create("tenant", name="mine"))["assistant_id"]
    assert own not in {a["assistant_id"] for a in await bob.assistants.search(limit=100)}
    for attempt in (
        bob.assistants.get(own),
        bob.assistants.get_schemas(own),
        bob.assistants.update(own, name="taken"),
        bob.assistants.delete(own),
        bob.runs.wait(None, own, input=SAY),
    ):
        with refused(404):
            await attempt
    shared = (await bob.assistants.search(graph_id="tenant", metadata={"created_by": "system"}))[0]
    with refused(404):
        await bob.assistants.update(shared["assistant_id"], context={"namespace": "bob"})
    with refused(403):
        await bob.assistants.create("tenant", metadata={"created_by": "system"})


async def test_crons_are_their_callers(alice: Any, bob: Any) -> None:
    await alice.crons.create("tenant", schedule="0 0 1 1 *", input=SAY)
    (cron,) = await alice.crons.search()
    assert await bob.crons.search() == []
    with refused(404):
        await bob.crons.delete(cron["cron_id"])
    assert len(await alice.crons.search()) == 1
    await alice.crons.delete(cron["cron_id"])


async def test_store_items_are_their_callers(
    alice: Any, bob: Any, guarded: str, guarded_by_aegra: bool
) -> None:
    await alice.store.put_item(["notes"], "k", {"secret": "alice's"})
    if guarded_by_aegra:
        await _aegra_keeps_items_apart(alice, bob, guarded)
        return
    item = await alice.store.get_item(["notes"], "k")
    full = item["namespace"]
    assert item["value"] == {"secret": "alice's"}
    assert (await alice.store.get_item(full, "k"))["value"] == {"secret": "alice's"}
    assert await found(bob.store.get_item(["notes"], "k")) is None
    for prefix in ([], ["notes"], ["*"]):
        assert (await bob.store.search_items(prefix))["items"] == []
    for prefix in (None, ["*"]):
        listed = (await bob.store.list_namespaces(prefix=prefix))["namespaces"]
        assert {names[0] for names in listed} <= {store_label("bob")}
    for attempt in (
        bob.store.get_item(full, "k"),
        bob.store.put_item(full, "k", {"taken": True}),
        bob.store.delete_item(full, "k"),
        bob.store.search_items(full),
        bob.store.list_namespaces(prefix=full),
    ):
        with refused(403):
            await attempt
    assert (await alice.store.get_item(["notes"], "k"))["value"] == {"secret": "alice's"}


async def _aegra_keeps_items_apart(alice: Any, bob: Any, url: str) -> None:
    """It puts every namespace that bob names below bob's own, alice's too."""
    full = (await alice.store.get_item(["notes"], "k"))["namespace"]
    claims = {"sub": "alic", "exp": int(time.time()) + 60}
    async with client_of(url, jwt.encode(claims, SECRET, "HS256")) as alic:
        for other in (bob, alic):
            await other.store.put_item(full, "k", {"taken": True})
            await other.store.delete_item(full, "k")
            for names in (full, full[:1], full[:2], ["notes"], [], ["users", "*"]):
                assert await found(other.store.get_item(names, "k")) is None, names
                assert (await other.store.search_items(names))["items"] == [], names
                listed = (await other.store.list_namespaces(prefix=names))["namespaces"]
                assert listed == [], names
    assert (await alice.store.get_item(full, "k"))["value"] == {"secret": "alice's"}
    claims["sub"] = "ann.b"
    async with client_of(url, jwt.encode(claims, SECRET, "HS256")) as dotted:
        with pytest.raises(httpx.HTTPStatusError):
            await dotted.store.put_item(["notes"], "k", {"kept": "nowhere"})


async def test_a_run_reads_its_callers_documents(alice: Any, bob: Any) -> None:
    asked = [
        (client, name, context)
        for client, name in ((alice, "alice"), (bob, "bob"))
        for context in ({}, {"namespace": "default"}, {"namespace": name})
    ]
    runs = (c.runs.wait(None, "tenant", input=SAY, context=context) for c, _, context in asked)
    for state, (_, name, _) in zip(await asyncio.gather(*runs), asked, strict=True):
        assert state["messages"][-1]["content"] == name


async def test_another_callers_documents_are_refused_wherever_they_are_named(bob: Any) -> None:
    foreign = {"namespace": "alice"}
    thread = (await bob.threads.create())["thread_id"]
    for attempt in (
        bob.runs.wait(thread, "tenant", input=SAY, context=foreign),
        bob.runs.wait(thread, "tenant", input=SAY, config={"configurable": foreign}),
        bob.runs.wait(None, "tenant", input=SAY, context=foreign),
        bob.assistants.create("tenant", context=foreign),
        bob.assistants.create("tenant", config={"configurable": foreign}),
        bob.crons.create("tenant", schedule="0 0 1 1 *", input=SAY, context=foreign),
    ):
        with refused(403):
            await attempt
    for odd in (["alice"], {"name": "alice"}, 7):
        with refused(403, 422):
            await bob.runs.wait(None, "tenant", input=SAY, context={"namespace": odd})


async def test_a_tool_does_not_read_what_the_server_keeps(
    bob: Any, kimi: KimiServer, guarded_by_aegra: bool
) -> None:
    kimi.clear()
    paths = (".langgraph_api/.langgraph_checkpoint.1.pckl", ".langgraph_api", ".langchain-kimi/x")
    for path in paths:
        kimi.script(call("read_file", path=path))
    kimi.script(call("list_files", path=".langgraph_api"), say("Nothing."))
    state = await bob.runs.wait(
        None, "tool_use", input=SAY, context={"base_url": kimi.base_url, "tools": ["files"]}
    )
    told = [m["content"] for m in state["messages"] if m["type"] == "tool"]
    assert len(told) == len(paths) + 1
    assert all("secret" in text or "There is no" in text for text in told), told
    assert guarded_by_aegra or "secret" in told[1], "Aegra keeps nothing beside the graphs"


async def test_a_wrong_key_is_an_error_of_the_sdk(guarded: str) -> None:
    async with client_of(guarded, "lck_wrong") as client:
        with pytest.raises(AuthenticationError):
            await client.threads.search()
