"""Budgets, switches and answer formats: what a request may ask for."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.models import MODELS

from .conversations import K2_THINKING, K3, K25, K26, K27, image
from .replies import request

LONG = HumanMessage("word " * 200_000)  # 1,000,000 characters, 200,000 tokens and a few


def budget(*messages: Any, endpoint: str = "vllm", **options: Any) -> int:
    asked = messages or (HumanMessage("Go."),)
    body = request(*asked, endpoint=endpoint, **options).body
    return int(body[ENDPOINTS[endpoint].budget_field])


def test_budgets_leave_room_for_thoughts() -> None:
    assert budget() == 32_768
    assert budget(thinking=False) == 16_384
    assert budget(max_tokens=100) == 100


def test_nvidia_takes_65536_at_most(caplog: pytest.LogCaptureFixture) -> None:
    assert budget(endpoint="nvidia", max_tokens=100_000) == 65_536
    assert "max_completion_tokens=100000: the endpoint takes 65536 at most" in caplog.text
    caplog.clear()
    assert budget(endpoint="nvidia", max_tokens=65_536) == 65_536
    assert budget(endpoint="vllm", max_tokens=100_000) == 100_000
    assert not caplog.records


def test_prompt_and_budget_fit_into_the_window() -> None:
    clamped = budget(LONG, max_tokens=100_000)

    assert 40_000 < clamped < 262_144 - 195_000
    assert budget(LONG, max_tokens=100_000, model=K3) == 100_000


def test_a_prompt_that_leaves_no_room_is_left_to_the_server() -> None:
    assert budget(LONG, LONG) == 1_024
    assert budget(LONG, LONG, max_tokens=10) == 10


def test_many_small_pictures_leave_room() -> None:
    frames = [image()] * 500  # the frames of a film, each far from a picture's highest price

    assert budget(HumanMessage(frames)) == 32_768


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_switch_is_never_enable_thinking(model: str, endpoint: str) -> None:
    bodies = [request(endpoint=endpoint, model=model).body]
    if model in {"kimi-k2.5", "kimi-k2.6"}:
        bodies.append(request(endpoint=endpoint, model=model, thinking=False).body)

    for body in bodies:
        assert "enable_thinking" not in str(body)
        assert ("thinking" in body) == (
            endpoint == "moonshot" and model in {"kimi-k2.5", "kimi-k2.6"}
        )
        assert ("chat_template_kwargs" in body) == (endpoint != "moonshot")


@pytest.mark.parametrize("model", [K2_THINKING, K27, K3])
def test_models_that_always_think(model: str) -> None:
    with pytest.raises(KimiInvalidInputError, match="always thinks"):
        request(model=model, thinking=False)


@pytest.mark.parametrize("model", [K2_THINKING, K25])
def test_models_that_cannot_preserve(model: str) -> None:
    with pytest.raises(KimiInvalidInputError, match="cannot keep older reasoning"):
        request(model=model, preserve_thinking=True)


def test_nothing_is_preserved_where_the_model_does_not_think() -> None:
    kwargs = request(thinking=False, preserve_thinking=True, endpoint="vllm").body

    assert kwargs["chat_template_kwargs"] == {"thinking": False}


@pytest.mark.parametrize(
    "extra", [{"enable_thinking": False}, {"chat_template_kwargs": {"enable_thinking": False}}]
)
def test_the_wrong_switch_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(KimiInvalidInputError, match="use thinking=False"):
        request(extra_body=extra)


def test_moonshot_locks_sampling() -> None:
    body = request(endpoint="moonshot", temperature=0.1, top_p=0.2).body

    assert not {"temperature", "top_p"} & set(body)


def test_the_endpoint_decides_the_model_id() -> None:
    assert request(endpoint="moonshot", model=K26).body["model"] == "kimi-k2.6"
    assert request(endpoint="moonshot", model="kimi-k3").body["model"] == "kimi-k3"
    assert request(endpoint="vllm", model="my/kimi").body["model"] == "my/kimi"


def test_a_schema_goes_behind_the_system_message_without_changing_it() -> None:
    system = SystemMessage("Be brief.")
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "A", "schema": schema}}
    before = copy.deepcopy(asked)

    body = request(system, HumanMessage("Go."), response_format=asked).body

    assert body["messages"][0]["content"].startswith("Be brief.\n\n")
    assert system.content == "Be brief."
    assert asked == before


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "x"}},
        {"type": "grammar"},
        {},
    ],
)
def test_answer_formats_that_are_none(asked: dict[str, Any]) -> None:
    with pytest.raises(KimiInvalidInputError, match="cannot be sent; use 'json_object'"):
        request(response_format=asked)


def test_nothing_is_logged_of_a_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    request(HumanMessage("a secret of mine"))

    assert "secret" not in caplog.text
