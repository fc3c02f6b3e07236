"""What langgraph.json says, by LangGraph's own commands."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
GRAPHS = json.loads((REPOSITORY / "langgraph.json").read_text())["graphs"]


def langgraph(*arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("langgraph")), *arguments],
        cwd=REPOSITORY,
        env={"LANGGRAPH_CLI_NO_ANALYTICS": "1", "NO_COLOR": "1", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_configuration_is_valid_without_a_warning() -> None:
    said = langgraph("validate")
    assert f"is valid. ({len(GRAPHS)} graphs found)" in said
    assert "warning" not in said.lower()


def test_the_dockerfile_installs_the_project_and_names_what_is_served(tmp_path: Path) -> None:
    langgraph("dockerfile", str(tmp_path / "Dockerfile"))
    text = (tmp_path / "Dockerfile").read_text()
    assert text.startswith("FROM langchain/langgraph-api:")
    assert "ADD . /deps/" in text
    assert "-e /deps/" in text or "for dep in /deps/*" in text
    variables = dict(
        line.removeprefix("ENV ").split("=", 1)
        for line in text.splitlines()
        if line.startswith(("ENV LANGSERVE_GRAPHS=", "ENV LANGGRAPH_"))
    )
    graphs = json.loads(variables["LANGSERVE_GRAPHS"].strip("'"))
    assert set(graphs) == set(GRAPHS)
    assert all(graph["path"].startswith("/deps/") for graph in graphs.values())
    assert "langchain_kimi.server.auth:auth" in variables["LANGGRAPH_AUTH"]
    assert json.loads(variables["LANGGRAPH_AUTH"].strip("'"))["disable_studio_auth"] is True
    assert "langchain_kimi.server.app:app" in variables["LANGGRAPH_HTTP"]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_and_each_field_of_its_context_are_described(name: str) -> None:
    assert GRAPHS[name]["description"].endswith(".")
    path, _, graph = GRAPHS[name]["path"].partition(":")
    spec = importlib.util.spec_from_file_location(f"served_{name}", REPOSITORY / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        schema = getattr(module, graph).context_schema
    finally:
        del sys.modules[spec.name]
    assert len(fields(schema)) > 0
    for field in fields(schema):
        assert field.metadata["description"].endswith("."), field.name


def test_the_compose_file_asks_for_its_secrets_and_scales_its_workers() -> None:
    compose = yaml.safe_load((REPOSITORY / "deploy/compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"api", "worker", "postgres", "redis", "milvus"}
    for name in ("api", "worker"):
        environment = services[name]["environment"]
        assert environment["KIMI_AUTH_KEYS"] == "/run/secrets/keys"
        assert environment["DATABASE_URI"].startswith("postgres://")
        assert ":?" in environment["DATABASE_URI"], "no default password"
    assert "ports" not in services["worker"], "a worker with a fixed port does not scale"
    assert services["api"]["ports"] == ["127.0.0.1:8123:8000"]
