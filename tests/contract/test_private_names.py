"""The private names of other packages that this one leans on, in one place.

A minor version of langchain may change any of them. Then a test here fails and says which.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from langchain.chat_models import base as init_chat_model_module
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables.configurable import RunnableConfigurableFields
from langchain_nvidia_ai_endpoints import ChatNVIDIA

import langchain_kimi
from langchain_kimi import ChatKimi
from langchain_kimi.binding import Bindable
from langchain_kimi.testing import KimiServer, say

PACKAGE = Path(langchain_kimi.__file__).parent
OWN = "langchain_kimi"

HOOKS = {
    "_generate": ["messages", "stop", "run_manager", "kwargs"],
    "_agenerate": ["messages", "stop", "run_manager", "kwargs"],
    "_stream": ["messages", "stop", "run_manager", "kwargs"],
    "_astream": ["messages", "stop", "run_manager", "kwargs"],
    "_get_ls_params": ["stop", "kwargs"],
    "_resolve_model_profile": [],
    "_add_version": ["pkg", "version"],
}
"""What `BaseChatModel` calls or offers, with its parameters."""

PROPERTIES = {"_llm_type", "_identifying_params"}

ACCESSED = {
    "integrations.py": {"_BUILTIN_PROVIDERS"},
    "chat_models.py": {"_generate", "_agenerate"},
    "rag/answer/result.py": {"_corpus"},
}
"""Private attributes of other objects, by file; each line carries `noqa: SLF001`."""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_of_the_base_class(name: str) -> None:
    parameters = list(inspect.signature(getattr(BaseChatModel, name)).parameters)

    assert parameters[1:] == HOOKS[name]


def test_how_a_run_gets_its_configured_model() -> None:
    prepare = inspect.getattr_static(RunnableConfigurableFields, "_prepare")

    assert list(inspect.signature(prepare).parameters) == ["self", "config"]


@pytest.mark.parametrize("name", sorted(PROPERTIES))
def test_properties_of_the_base_class(name: str) -> None:
    assert isinstance(inspect.getattr_static(BaseChatModel, name), property)


def test_the_registry_of_init_chat_model() -> None:
    registry: dict[str, Any] = init_chat_model_module._BUILTIN_PROVIDERS

    package, name, create = registry["openai"]
    assert (package, name) == ("langchain_openai", "ChatOpenAI")
    assert callable(create)


def test_private_attributes_are_those_that_are_listed() -> None:
    found: dict[str, set[str]] = {}
    for path in sources():
        for line in path.read_text().splitlines():
            if "noqa: SLF001" in line:
                names = set(re.findall(r"\.(_[a-zA-Z]\w*)", line))
                found.setdefault(path.relative_to(PACKAGE).as_posix(), set()).update(names)

    assert found == ACCESSED


def test_no_private_module_of_another_package_is_imported() -> None:
    private = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module, *(alias.name for alias in node.names)]
                parts = [part for name in names for part in name.split(".")]
                foreign = not node.module.startswith((OWN, "__future__"))
                if foreign and any(re.match(r"_[a-z]", part, re.IGNORECASE) for part in parts):
                    private.append(f"{path.name}: {node.module}")

    assert private == []


# --- ChatNVIDIA: its fields and rules, without its clients --------------------------------------

INHERITED_FIELDS = {
    "base_url",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "stream_options",
    "usage_telemetry_enabled",
    "model_kwargs",
}
WORKS_INHERITED = {"get_available_models", "bind_functions", "model_post_init", "model_config"}
"""Public names of ChatNVIDIA that ChatKimi does not write anew."""


def test_fields_that_are_inherited() -> None:
    assert set(ChatNVIDIA.model_fields) >= INHERITED_FIELDS
    assert set(ChatKimi.model_fields) >= set(ChatNVIDIA.model_fields)


def test_no_public_method_needs_the_clients_that_are_not_made() -> None:
    public = {name for name in vars(ChatNVIDIA) if not name.startswith("_")}

    assert public - set(vars(ChatKimi)) - set(vars(Bindable)) <= WORKS_INHERITED


def test_no_private_method_that_is_inherited_is_called_by_a_public_one() -> None:
    """ChatNVIDIA's own conversion is left behind whole: nothing of it runs for ChatKimi."""
    left_behind = {
        "_prepare_inputs_and_payload",
        "_process_generate_response",
        "_process_stream_chunk",
        "_set_callback_out",
        "_custom_postprocess",
        "_get_payload",
        "_set_nvidia_version",
    }
    private = {
        name
        for name, value in vars(ChatNVIDIA).items()
        if name.startswith("_") and not name.startswith("__") and callable(value)
    }

    assert private - set(vars(ChatKimi)) - {"_abc_impl"} <= left_behind


def test_the_clients_are_not_made() -> None:
    private = ChatKimi(base_url="http://127.0.0.1:9/v1").__pydantic_private__ or {}

    assert "_client" not in private
    assert "_async_client" not in private


def test_inherited_methods_work() -> None:
    with KimiServer("vllm") as server:
        server.script(say("Yes."))
        llm = ChatKimi(base_url=server.base_url, api_key="x")
        listed = ChatKimi.get_available_models(base_url=server.base_url, api_key="x")

        assert {model.id for model in listed} >= set(server.settings.models)
        assert llm.model_copy().invoke("Hi").content == "Yes."
        with pytest.raises(NotImplementedError, match="bind_tools"):
            llm.bind_functions([])
        llm.close()


def test_versions_of_both_packages_are_told() -> None:
    versions = (ChatKimi().metadata or {})["lc_versions"]

    assert {"langchain-kimi-nvidia", "langchain-nvidia-ai-endpoints"} <= set(versions)
