"""`langchain-kimi doctor`."""

import json
from typing import Any

import pytest

from langchain_kimi.testing import call, forbidden, rate_limited, retired, say, think, turn


def answers(done: Any) -> dict[str, str]:
    return {name: check["answer"] for name, check in json.loads(done.stdout)["checks"].items()}


def healthy(body: dict[str, Any]) -> Any:
    """Answer each question of the doctor as a good endpoint does."""
    content = str(body["messages"][-1]["content"])
    thinks = body.get("chat_template_kwargs", body).get("thinking")
    is_on = thinks not in (False, {"type": "disabled"})
    thought = [think("Let me see.")] if is_on else []
    if "both calls" in content:
        return [*thought, call("get_weather", city="Paris"), call("get_weather", city="Rome")]
    if body.get("tools"):
        return [*thought, call("get_weather", city="Paris")]
    if "colour" in content:
        return [*thought, say("Red.")]
    if "country" in content:
        return [*thought, say('{"name": "Paris", "country": "France"}')]
    return [*thought, say("One, two, three, four, five, six, seven, eight, nine, ten.")]


@pytest.mark.parametrize("dialect", ["nvidia", "vllm", "sglang", "moonshot"])
def test_a_good_endpoint(command, kimi_server_factory, dialect: str) -> None:
    server = kimi_server_factory(dialect)
    server.respond_with(healthy)
    done = command("doctor", "--base-url", server.base_url, "--endpoint", dialect, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["fit"] is True
    found = answers(done)
    assert found.pop("video") == "not tested"
    assert found.pop("parallel calls") == "yes"
    assert set(found.values()) == {"yes"}, document
    assert list(document["checks"]) == [
        "reachable", "authorised", "model", "thinking", "thinking off", "tool call",
        "parallel calls", "JSON schema", "image", "video", "streaming", "usage",
    ]  # fmt: skip


def test_the_table(command, kimi_server_factory) -> None:
    server = kimi_server_factory("vllm", seed=1)
    server.respond_with(healthy)
    done = command("doctor", "--base-url", server.base_url)
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert len(rows) == 12
    assert 'get_weather(city="Paris")' in done.stdout
    assert "no key is set, and it asked for none" in done.stdout
    assert "send sampled frames as pictures" in done.stdout


def test_a_poor_endpoint(command, kimi_server) -> None:
    kimi_server.respond_with(lambda _: say("Hm."))
    done = command("doctor", "--base-url", kimi_server.base_url, "--json")
    assert done.exit_code == 1
    found = answers(done)
    assert [name for name, answer in found.items() if answer == "no"] == [
        "thinking", "tool call", "parallel calls", "JSON schema", "image", "streaming",
    ]  # fmt: skip


@pytest.mark.kimi("nvidia", api_key="nvapi-right-one")
def test_a_wrong_key(command, kimi_server, on, monkeypatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-wrong-one")
    done = command("doctor", *on, "--endpoint", "nvidia", "--json")
    assert done.exit_code == 1
    found = answers(done)
    assert (found["reachable"], found["authorised"], found["model"]) == ("yes", "no", "not tested")
    assert "nvapi" not in done.output
    assert "Unauthorized. Check or renew the API key" in done.stdout


def test_a_missing_key(command) -> None:
    done = command(
        "doctor", "--endpoint", "moonshot", "--json", "--base-url", "https://api.moonshot.ai/v1"
    )
    assert done.exit_code == 1
    checks = json.loads(done.stdout)["checks"]
    assert checks["authorised"]["answer"] == "no"
    assert "MOONSHOT_API_KEY" in checks["authorised"]["reason"]


@pytest.mark.kimi("nvidia")
def test_a_retired_model_that_is_still_listed(command, kimi_server, on) -> None:
    kimi_server.script(retired())
    done = command("doctor", *on, "--endpoint", "nvidia", "--json")
    model = json.loads(done.stdout)["checks"]["model"]
    assert model["answer"] == "no"
    assert "retired" in model["reason"]
    assert "is among the" in model["reason"]
    assert answers(done)["streaming"] == "not tested"


def test_an_unknown_model(command, kimi_server, on) -> None:
    done = command("doctor", *on, "--model", "no/such", "--json")
    model = json.loads(done.stdout)["checks"]["model"]
    assert model["answer"] == "no"
    assert "no/such is not among the" in model["reason"]


def test_nothing_there(command) -> None:
    done = command("doctor", "--base-url", "http://127.0.0.1:9/v1", "--json")
    assert done.exit_code == 1
    found = answers(done)
    assert found.pop("reachable") == "no"
    assert set(found.values()) == {"not tested"}


def test_a_rate_limit_leaves_a_check_untested(command, kimi_server, on) -> None:
    kimi_server.script(turn(think("Hm."), say("ready")), rate_limited(), forbidden())
    found = answers(command("doctor", *on, "--json"))
    assert found["thinking off"] == "not tested"
    assert found["tool call"] == "no"


@pytest.mark.kimi("moonshot")
def test_a_video(command, kimi_server, on, tmp_path) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
    kimi_server.respond_with(healthy)
    arguments = ("doctor", *on, "--endpoint", "moonshot", "--json")
    untested = json.loads(command(*arguments).stdout)["checks"]["video"]
    assert "--video" in untested["reason"]
    assert answers(command(*arguments, "--video", str(video)))["video"] == "yes"
