"""The two tables: facts of models, quirks of endpoints."""

from __future__ import annotations

import pytest

from langchain_kimi.endpoints import (
    ENDPOINTS,
    clean_base_url,
    is_nvidia_hosted,
    resolve_endpoint,
    row_of,
)
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.models import MODELS, UNKNOWN, facts_of
from langchain_kimi.testing.dialects import DIALECTS


def test_every_endpoint_has_a_dialect_to_be_tested_on() -> None:
    assert set(ENDPOINTS) == set(DIALECTS)
    assert all(row.name == name for name, row in ENDPOINTS.items())


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("kimi-k2.6", "Kimi K2.6"),
        ("moonshotai/kimi-k2.6", "Kimi K2.6"),
        ("moonshotai/Kimi-K2.6", "Kimi K2.6"),
        ("/models/kimi-k2.5", "Kimi K2.5"),
        ("kimi-k2-thinking-turbo", "Kimi K2 Thinking"),
        ("kimi-k2.7-code-highspeed", "Kimi K2.7 Code"),
        ("kimi-k3", "Kimi K3"),
        ("kimi-k2.6-preview", "Kimi"),
        ("", "Kimi"),
    ],
)
def test_models_by_id(model: str, name: str) -> None:
    assert facts_of(model).name == name


def test_an_unknown_model_can_do_what_the_newest_that_can_be_switched_can() -> None:
    k26 = MODELS["kimi-k2.6"]

    assert UNKNOWN.can_be_instant
    assert UNKNOWN.preserve_thinking == k26.preserve_thinking
    assert UNKNOWN.context_window == k26.context_window


def test_thinking_of_the_models() -> None:
    always = {name for name, facts in MODELS.items() if not facts.can_be_instant}

    assert always == {"kimi-k2-thinking", "kimi-k2.7-code", "kimi-k3"}
    assert {name for name, facts in MODELS.items() if facts.forced_tool_choice} == {"kimi-k3"}


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/", "http://host:8000/v1"),
        ("http://host/v1/", "http://host/v1"),
        ("https://proxy/nim", "https://proxy/nim/v1"),
        ("https://proxy/nim/v1", "https://proxy/nim/v1"),
    ],
)
def test_addresses_end_in_v1(given: str, cleaned: str) -> None:
    assert clean_base_url(given) == cleaned
    assert clean_base_url(cleaned) == cleaned


@pytest.mark.parametrize(
    ("url", "hosted"),
    [
        ("https://integrate.api.nvidia.com/v1", True),
        ("https://integrate.api.nvidia.com.example/v1", False),
        ("http://localhost:8000/v1", False),
        ("https://api.moonshot.ai/v1", False),
    ],
)
def test_whose_host_it_is(url: str, hosted: bool) -> None:
    assert is_nvidia_hosted(url) is hosted
    assert (row_of("auto", url).name == "nvidia") is hosted


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("moonshot", "https://integrate.api.nvidia.com/v1"),
        ("moonshot", "https://AI.API.nvidia.com"),
        ("nvidia", "https://api.moonshot.ai/v1"),
        ("vllm", "https://api.moonshot.cn/v1"),
        ("sglang", "https://api.moonshot.ai"),
    ],
)
def test_a_key_is_not_sent_to_another_vendor(endpoint: str, url: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=f"endpoint='{endpoint}' would send the key"):
        resolve_endpoint(endpoint, url)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("vllm", "https://integrate.api.nvidia.com/v1"),
        ("moonshot", "http://localhost:8000/v1"),
        ("auto", "https://api.moonshot.ai/v1"),
    ],
)
def test_an_endpoint_may_be_named_where_the_key_fits(endpoint: str, url: str) -> None:
    row, _ = resolve_endpoint(endpoint, url)
    assert row == row_of(endpoint, url)
