"""What langgraph.json says, by LangGraph's own commands."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from tests.self_hosted import COMPOSE, PROGRAMS, needs_aegra

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


def test_the_compose_file_is_one() -> None:
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    file = str(REPOSITORY / "deploy/compose.yaml")
    command = [checker, "--builtin-schema", "vendor.compose-spec", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_compose_file_asks_for_its_secrets_and_scales() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"server", "worker", "postgres", "redis", "milvus"}
    server, worker = services["server"], services["worker"]
    assert server["environment"]["KIMI_AUTH_KEYS"] == "/run/secrets/keys"
    assert server["secrets"] == ["keys"]
    assert "secrets" not in worker, "it has no callers"
    for name in ("DATABASE_URL", "KIMI_JOURNAL", "KIMI_QUEUE"):
        assert "${POSTGRES_PASSWORD:?" in server["environment"][name], "no default password"
    assert "ports" not in worker
    (ports,) = server["ports"]
    first, last = ports.split(":")[1].split("-")
    assert ports.startswith("127.0.0.1:"), "not open to the network by itself"
    assert int(last) - int(first) >= 2, "one for each server"


def test_each_setting_of_the_compose_file_is_one_that_somebody_reads() -> None:
    needs_aegra()
    ask = (
        "from aegra_api.settings import settings\n"
        "for group in vars(settings).values(): print(*type(group).model_fields, sep='\\n')"
    )
    told = subprocess.run(
        [str(PROGRAMS / "python"), "-c", ask], capture_output=True, text=True, check=True
    )
    sources = [*REPOSITORY.glob("langchain_kimi/**/*.py"), *REPOSITORY.glob("graphs/*.py")]
    ours = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', "".join(f.read_text() for f in sources)))
    for service in ("server", "worker"):
        for name in COMPOSE["services"][service]["environment"]:
            assert name in ours | set(told.stdout.split()), name


def test_the_image_holds_what_the_compose_file_starts() -> None:
    text = (REPOSITORY / "deploy/Dockerfile").read_text()
    server = COMPOSE["services"]["server"]
    assert server["build"]["dockerfile"] == "deploy/Dockerfile"
    (started,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    assert json.loads(started) == server["command"]
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        *sources, _ = line.split()
        assert all((REPOSITORY / source).exists() for source in sources), line
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"pip install .*'\.\[(.*)\]'", text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    setup = (REPOSITORY / "scripts/setup.py").read_text()
    assert f'AEGRA_EXTRAS = "{extras}"' in setup, "the tests run what the image holds"
    assert COMPOSE["services"]["worker"]["command"][0] in project["scripts"]
    assert "FROM python:3.12" in text, "a Python that Aegra supports"
