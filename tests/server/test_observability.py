"""Health, figures and traces: counts leave, words do not."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from langchain_kimi.server.metrics import prices
from langchain_kimi.testing import KimiServer, call, rate_limited, say, slow_first_token
from tests.langgraph_dev import langgraph_dev
from tests.server.conftest import copy_of_deployment

pytestmark = pytest.mark.timeout(180)
WORDS = "the-codeword-is-zanzibar"


def metrics(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = httpx.get(f"{url}/metrics").text
    assert WORDS not in text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("kimi_")
    }


async def test_calls_tokens_and_runs_are_counted(
    guarded: str, alice: Any, kimi: KimiServer
) -> None:
    before = metrics(guarded)
    kimi.clear()
    kimi.script(call("read_file", path="pyproject.toml", line_count=1), say(WORDS))
    await alice.runs.wait(
        None,
        "tool_use",
        input={"messages": [{"role": "user", "content": WORDS}]},
        context={"base_url": kimi.base_url},
    )
    after = metrics(guarded)

    def grown(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0)

    model = "Kimi K2.6"
    assert grown("kimi_requests_total", model=model, outcome="ok") == 2
    sent = grown("kimi_tokens_total", model=model, kind="input")
    assert sent > 0
    assert grown("kimi_tokens_total", model=model, kind="output") > 0
    assert grown("kimi_cost_total", model=model) == sent, "one a token, by the environment"
    assert grown("kimi_runs_total", outcome="ok") == 1
    assert after["kimi_requests_in_flight", ()] == after["kimi_runs_in_flight", ()] == 0


async def test_waits_for_rate_limits_and_sub_agents_are_counted(
    guarded: str, alice: Any, kimi: KimiServer
) -> None:
    def reply(body: dict[str, Any]) -> Any:
        said = body["messages"]
        if not said[0]["content"].startswith("You lead a swarm"):
            return say("Studied.")
        if any(message["role"] == "assistant" for message in said):
            return say(WORDS)
        items = ["one", "two", "three"]
        return call("agent_swarm", description="d", prompt_template="Study {{item}}", items=items)

    kimi.clear()
    kimi.script(rate_limited(retry_after=1), say("Yes."))
    before = metrics(guarded)
    await alice.runs.wait(
        None,
        "tool_use",
        input={"messages": [{"role": "user", "content": WORDS}]},
        context={"base_url": kimi.base_url},
    )
    kimi.respond_with(reply)
    await alice.runs.wait(
        None,
        "background",
        input={"messages": [{"role": "user", "content": WORDS}]},
        context={"base_url": kimi.base_url},
    )
    kimi.respond_with(None)
    after = metrics(guarded)

    def grown(name: str) -> float:
        return after[name, ()] - before.get((name, ()), 0)

    assert grown("kimi_rate_limits_total") == 1
    assert 1 <= grown("kimi_rate_limit_wait_seconds_total") < 2
    assert grown("kimi_subagents_total") == 3


async def test_a_model_that_a_caller_names_makes_no_label(
    guarded: str, alice: Any, kimi: KimiServer
) -> None:
    kimi.clear()
    await alice.runs.wait(
        None,
        "tool_use",
        input={"messages": [{"role": "user", "content": WORDS}]},
        context={"base_url": kimi.base_url, "model": "made/up"},
        raise_error=False,
    )
    found = metrics(guarded)
    assert found["kimi_requests_total", (("model", "other"), ("outcome", "error"))] >= 1
    assert "made/up" not in str(found)


async def test_a_call_that_is_cancelled_is_in_flight_no_more(
    guarded: str, alice: Any, kimi: KimiServer
) -> None:
    kimi.clear()
    kimi.script(slow_first_token(60), say("Late."))
    before = metrics(guarded)
    thread = (await alice.threads.create())["thread_id"]
    run = await alice.runs.create(
        thread,
        "tool_use",
        input={"messages": [{"role": "user", "content": WORDS}]},
        context={"base_url": kimi.base_url},
    )
    async with asyncio.timeout(30):
        while metrics(guarded)["kimi_requests_in_flight", ()] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await alice.runs.cancel(thread, run["run_id"], wait=True)
    after = metrics(guarded)
    assert after["kimi_requests_in_flight", ()] == 0
    cancelled = ("kimi_requests_total", (("model", "other"), ("outcome", "cancelled")))
    assert after[cancelled] - before.get(cancelled, 0) == 1


@pytest.mark.parametrize("price", ["1,5", "nan", "-1"])
def test_a_price_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, price: str) -> None:
    monkeypatch.setenv("KIMI_PRICE_OUTPUT", price)
    prices.cache_clear()
    with pytest.raises(ValueError, match="KIMI_PRICE_OUTPUT"):
        prices()


class Collector(ThreadingHTTPServer):
    """Takes what an OTLP exporter sends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_spans_hold_counts_and_no_words(
    tmp_path: Path, collector: Collector, kimi: KimiServer
) -> None:
    copy_of_deployment(tmp_path)
    kimi.clear()
    kimi.script(say(f"Answer: {WORDS}"))
    host, port = collector.server_address[:2]
    ask = {
        "assistant_id": "tool_use",
        "input": {"messages": [{"role": "user", "content": f"Question: {WORDS}"}]},
        "metadata": {"note": WORDS},
        "config": {"run_name": WORDS},
    }
    with langgraph_dev(
        tmp_path,
        KIMI_TRACES="1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{host}:{port}",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
    ) as url:
        wait = f"{url}/runs/wait"
        told = httpx.post(wait, json=ask | {"context": {"base_url": kimi.base_url}}, timeout=60)
        bad = {"base_url": kimi.base_url, "model": f"no/{WORDS}"}
        failed = httpx.post(wait, json=ask | {"context": bad}, timeout=60)
        assert "kimi_" not in httpx.get(f"{url}/metrics").text, "not asked for"
    assert WORDS in told.text
    assert "__error__" in failed.text
    sent = b"".join(collector.bodies)
    assert b"llm.token_count.prompt" in sent
    assert b"Kimi K2.6" in sent
    assert WORDS.encode() not in sent
