"""LangGraph's development server, and Aegra, with authentication and figures switched on."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from langchain_kimi.testing import KimiServer
from tests.langgraph_dev import langgraph_dev
from tests.self_hosted import SelfHosted, Server, needs_aegra, redis
from tests.swarm.conftest import PostgresServer, postgres_server  # noqa: F401  a fixture

REPOSITORY = Path(__file__).parents[2]
SECRET = "a-shared-secret-of-more-than-32-bytes"
KEYS = {"alice": "lck_alice-key", "bob": "lck_bob-key"}

OPEN = '''
"""Says which namespace a run may read, and asks before it pays."""

from dataclasses import dataclass

from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from langchain_kimi.server.namespaces import served_namespace


@dataclass(frozen=True, kw_only=True)
class Context:
    namespace: str = "default"
    pay: bool = False


def read(state: MessagesState, runtime: Runtime[Context]) -> dict:
    chosen = runtime.context or Context()
    said = served_namespace(chosen.namespace)
    if chosen.pay:
        said = str(interrupt({"pay": 5}))
    return {"messages": [{"role": "ai", "content": said}]}


graph = (
    StateGraph(MessagesState, context_schema=Context)
    .add_node("read", read)
    .add_edge(START, "read")
    .add_edge("read", END)
    .compile(name="tenant")
)
'''


def copy_of_deployment(folder: Path) -> None:
    """Copy what is deployed, with one more graph: the server writes its state beside it."""
    shutil.copytree(REPOSITORY / "graphs", folder / "graphs")
    for name in ("langgraph.json", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    (folder / "graphs/tenant.py").write_text(OPEN)
    configuration = json.loads((folder / "langgraph.json").read_text())
    configuration["graphs"]["tenant"] = "./graphs/tenant.py:graph"
    (folder / "langgraph.json").write_text(json.dumps(configuration))
    rows = [
        {"identity": name, "sha256": hashlib.sha256(key.encode()).hexdigest()}
        for name, key in KEYS.items()
    ]
    (folder / "keys.json").write_text(json.dumps(rows))


@pytest.fixture(scope="package")
def kimi() -> Iterator[KimiServer]:
    with KimiServer("vllm", api_key="not-needed") as server:
        yield server


@pytest.fixture(scope="package")
def langgraph_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("guarded")
    copy_of_deployment(folder)
    with langgraph_dev(
        folder,
        KIMI_AUTH_KEYS=str(folder / "keys.json"),
        KIMI_AUTH_JWT_KEY=SECRET,
        KIMI_METRICS="1",
        KIMI_PRICE_INPUT="1000000",
    ) as url:
        yield url


@pytest.fixture(scope="package")
def guarded(langgraph_server: str) -> str:
    """The URL of the development server; a module may mean the other one."""
    return langgraph_server


@pytest.fixture(scope="package")
def deployment(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,  # noqa: F811
) -> Iterator[SelfHosted]:
    """A database and a Redis for servers as in deploy/compose.yaml."""
    needs_aegra()
    folder = tmp_path_factory.mktemp("hosted")
    copy_of_deployment(folder)
    postgres_server.execute(f"CREATE DATABASE {folder.name}")  # a worker may come here twice
    database = postgres_server.server.replace("/postgres?", f"/{folder.name}?")
    with redis(folder) as url:
        yield SelfHosted(folder, database, url, {"KIMI_AUTH_JWT_KEY": SECRET})


@pytest.fixture(scope="package")
def first(deployment: SelfHosted) -> Iterator[Server]:
    """The first server of that deployment."""
    with deployment.server() as server:
        yield server


@pytest.fixture(scope="module", params=["langgraph", "aegra"])
def either_server(request: pytest.FixtureRequest) -> str:
    """The URL of LangGraph's development server, then of Aegra."""
    if request.param == "aegra":
        return str(request.getfixturevalue("first").url)
    return str(request.getfixturevalue("langgraph_server"))


@pytest.fixture
async def alice(guarded: str) -> Any:
    async with client_of(guarded, KEYS["alice"]) as client:
        yield client


@pytest.fixture
async def bob(guarded: str) -> Any:
    async with client_of(guarded, KEYS["bob"]) as client:
        yield client


def client_of(url: str, credential: str) -> Any:
    """Return a client that proves who it is."""
    return get_client(url=url, api_key=None, headers={"Authorization": f"Bearer {credential}"})
