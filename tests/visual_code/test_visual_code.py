"""A mock-up becomes a page: the loop, the browser's walls, the measure."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from langgraph.checkpoint.memory import InMemorySaver
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from langchain_kimi import ChatKimi
from langchain_kimi.cli import app
from langchain_kimi.content import image
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.testing import KimiServer, say
from langchain_kimi.visual_code import (
    Browser,
    BrowserError,
    VisualCode,
    create_visual_to_code,
    likeness,
)
from langchain_kimi.visual_code.graph import page_in
from langchain_kimi.visual_code.likeness import differs_most
from langchain_kimi.visual_code.site import serving

HAS_CHROMIUM = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
in_browser = pytest.mark.skipif(not HAS_CHROMIUM, reason="no Chromium on the PATH")
SIZE = (480, 320)
GOOD = (
    "<!doctype html><html><body style='margin:0;background:#fff'>"
    "<div style='background:#1d5fa8;height:80px'></div>"
    "<div style='background:#f2b134;width:200px;height:120px;margin:40px'></div></body></html>"
)
POOR = "<!doctype html><html><body style='background:#402020'>Nothing like it</body></html>"


def mock_up() -> Image.Image:
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 479, 79), fill="#1d5fa8")
    draw.rectangle((40, 120, 239, 239), fill="#f2b134")
    return picture


def fenced(html: str) -> Any:
    return say(f"Here it is.\n\n```html\n{html}\n```")


@pytest.fixture
def server() -> KimiServer:
    with KimiServer(dialect="vllm") as running:
        yield running


@pytest.fixture
def llm(server: KimiServer) -> ChatKimi:
    model = ChatKimi(base_url=server.base_url, endpoint="vllm")
    yield model
    model.close()


def asked(picture: Image.Image | None = None) -> dict[str, Any]:
    content: list[Any] = [{"type": "text", "text": "Make this page."}, image(picture or mock_up())]
    return {"messages": [{"role": "user", "content": content}]}


@in_browser
def test_a_second_try_that_is_better_is_taken(server: KimiServer, llm: ChatKimi) -> None:
    server.script(fenced(POOR), fenced(GOOD))

    state = create_visual_to_code(llm).invoke(asked())

    result: VisualCode = state["result"]
    assert result.ended == "alike"
    assert result.html == GOOD
    first, second = result.attempts
    assert first.likeness < 0.6 < 0.97 <= second.likeness == result.likeness
    for attempt in result.attempts:
        with Image.open(io.BytesIO(base64.b64decode(attempt.screenshot))) as shot:
            assert shot.size == SIZE
    again = server.requests[1]["messages"][-1]["content"]
    assert "differ most" in str(again)
    assert str(again).count("image_url") >= 1
    assert GOOD in state["messages"][-1].text
    assert GOOD not in result.to_html()
    assert result.to_html().count("data:image/png") == 4
    shown = Browser().picture(result.to_html(), 1_000, 900)
    with Image.open(io.BytesIO(shown)) as report:
        colours = {colour: n for n, colour in report.convert("RGB").getcolors(1 << 20)}
    pair, poor, taken = (colours.get(c, 0) for c in ((29, 95, 168), (64, 32, 32), (76, 175, 110)))
    assert pair > 2 * 400 * 60, "mock-up and page do not stand beside each other"
    assert poor > 10_000, "the first attempt is not to be seen"
    assert taken > 1_000, "the attempt that was taken is not outlined"


@in_browser
async def test_it_stops_when_a_try_is_no_better(server: KimiServer, llm: ChatKimi) -> None:
    nearly = GOOD.replace("#f2b134", "#b1f234").replace("80px", "110px")
    server.script(fenced(nearly), fenced(POOR), fenced(GOOD))

    parts = [
        part
        async for part in create_visual_to_code(llm, rounds=5).astream(
            asked(), stream_mode=["updates", "messages"]
        )
    ]
    await llm.aclose()

    result = next(p["render"]["result"] for _, p in reversed(parts) if "render" in p)
    assert result.ended == "not_better"
    assert result.html == nearly
    assert len(result.attempts) == len(server.requests) == 2
    assert any(mode == "messages" for mode, _ in parts)


@in_browser
def test_rounds_are_bounded_and_a_reply_without_a_page_is_told(
    server: KimiServer, llm: ChatKimi
) -> None:
    server.script(say("I would rather not."), fenced(POOR))

    result = create_visual_to_code(llm, rounds=2).invoke(asked())["result"]

    assert result.ended == "rounds"
    assert [bool(one.error) for one in result.attempts] == [True, False]
    assert "holds no HTML document" in str(server.requests[1]["messages"][-1])


@in_browser
async def test_it_blocks_no_loop_and_keeps_plain_data(
    server: KimiServer, llm: ChatKimi, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(fenced(POOR), fenced(GOOD))
    graph = create_visual_to_code(lambda _: llm, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}

    with blockbuster_ctx():
        state = await graph.ainvoke(asked(), config)
        kept = (await graph.aget_state(config)).values
    await llm.aclose()

    assert state["result"].ended == "alike"
    assert "result" not in kept
    assert [one["html"] for one in kept["attempts"]] == [POOR, GOOD]
    assert "unregistered type" not in caplog.text


def test_without_any_page_it_says_so(server: KimiServer, llm: ChatKimi) -> None:
    server.script(say("No."))

    state = create_visual_to_code(llm, rounds=1).invoke(asked())

    assert state["result"].html == ""
    assert state["result"].ended == "no_page"
    assert state["messages"][-1].text == "No page: the reply holds no HTML document."


def test_without_a_picture_it_is_an_error(llm: ChatKimi) -> None:
    with pytest.raises(KimiInvalidInputError, match="holds no picture"):
        create_visual_to_code(llm).invoke({"messages": [("user", "A page, please.")]})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"rounds": 0}, "rounds=0"),
        ({"rounds": "3"}, "rounds is of type str, no whole number"),
        ({"alike": 97}, "alike=97: give a number from 0 to 1"),
        ({"gain": "x"}, "gain is of type str, no number"),
        ({"model": 5}, "model is of type int"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused(
    llm: ChatKimi, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(KimiInvalidInputError, match=reason):
        create_visual_to_code(**{"model": llm, **arguments})


def test_a_context_that_asks_for_no_likeness_is_refused(llm: ChatKimi) -> None:
    graph = create_visual_to_code(llm, alike=lambda _: 97)
    with pytest.raises(KimiInvalidInputError, match="alike=97"):
        graph.invoke(asked())


@in_browser
def test_a_page_reaches_neither_network_nor_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("<body style='background:#ff0000'></body>")
    reached = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as outside:
        threading.Thread(target=outside.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{outside.server_port}"
        for hostile in (
            f"<link rel=stylesheet href='{address}/a'><img src='{address}/b'>",
            f"<iframe src='{secret.as_uri()}' width=480 height=320></iframe>",
            f"<script>fetch('{address}/c').catch(()=>0)</script>",
            f"<script>new WebSocket('ws{address[4:]}/d')</script>",
            f"<script>location='{secret.as_uri()}'</script>",
            f"<meta http-equiv=refresh content='0;url={secret.as_uri()}'>",
            f"<script>location='{address}/e'</script>",
        ):
            png = Browser(timeout=20).picture(f"<!doctype html><body>{hostile}", *SIZE)
            with Image.open(io.BytesIO(png)) as shot:
                colours = {colour for _, colour in shot.convert("RGB").getcolors(1 << 20)}
            assert (255, 0, 0) not in colours
        outside.shutdown()
    assert reached == []


@in_browser
def test_a_script_that_never_ends_is_ended() -> None:
    with pytest.raises(BrowserError, match="did not come to rest within 3 s"):
        Browser(timeout=3).picture("<!doctype html><script>for(;;){}</script>", *SIZE)

    for proc in Path("/proc").glob("[0-9]*/environ"):
        if proc.parent.name != str(os.getpid()) and os.access(proc, os.R_OK):
            command = (proc.parent / "cmdline").read_bytes()
            assert b"page.invalid" not in command


def test_a_missing_browser_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrowserError, match="no Chromium on the PATH"):
        Browser().picture("<p>", 10, 10)
    with pytest.raises(BrowserError, match="cannot be run"):
        Browser(path="/nowhere/chromium").picture("<p>", 10, 10)


def test_few_browsers_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = [], []
    most_allowed = max(2, os.cpu_count() or 1)
    full = threading.Event()

    def run(_: Browser, command: list[str], home: str) -> str:
        running.append(home)
        most.append(len(running))
        if len(running) >= most_allowed:
            full.set()
        assert full.wait(30)
        Path(home, "page.png").write_bytes(b"png")
        running.remove(home)
        return ""

    monkeypatch.setattr(Browser, "_run", run)
    monkeypatch.setattr(Browser, "_found", lambda _: "chromium")
    with ThreadPoolExecutor(3 * most_allowed) as pool:
        made = list(pool.map(lambda _: Browser().picture("<p>", 9, 9), range(4 * most_allowed)))
    assert made == [b"png"] * (4 * most_allowed)
    assert max(most) == most_allowed


def test_the_proxy_serves_one_page() -> None:
    import http.client

    with serving("<p>ü</p>") as site:
        answers = []
        for method, url in (
            ("GET", "http://page.invalid/"),
            ("GET", "http://page.invalid/other"),
            ("POST", "http://page.invalid/"),
            ("CONNECT", "example.org:443"),
        ):
            asking = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
            asking.request(method, url)
            reply = asking.getresponse()
            answers.append((reply.status, reply.read()))
            asking.close()
        assert answers[0] == (200, "<p>ü</p>".encode())
        assert [status for status, _ in answers[1:]] == [403] * 3
        assert len(site.refused) == 3


def test_likeness_orders_pictures() -> None:
    target = mock_up()
    moved = Image.new("RGB", SIZE, "white")
    moved.paste(target, (60, 40))
    recoloured = target.point(lambda value: 255 - value)

    found = [likeness(each, target) for each in (target, moved, recoloured)]

    assert found[0] == pytest.approx(1)
    assert found[0] > found[1] > found[2] >= 0
    spotted = target.copy()
    ImageDraw.Draw(spotted).rectangle((400, 260, 479, 319), fill="black")
    assert differs_most(spotted, target) == "in the lower third, on the right"


def test_a_narrow_mock_up_takes_little_memory() -> None:
    narrow = Image.new("RGB", (8, 4_096), "white")
    tracemalloc.start()
    try:
        assert likeness(narrow, narrow) == pytest.approx(1)
        assert tracemalloc.get_traced_memory()[1] < 300_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("reply", "page"),
    [
        ("```html\n<p>1</p>\n```", "<p>1</p>"),
        ("Text\n```HTML\n<p>1</p>\n```\n```html\n<p>long</p>\n```", "<p>long</p>"),
        ("```html\n<p>cut", "<p>cut"),
        ("Sure: <!DOCTYPE html><p>x", "<!DOCTYPE html><p>x"),
        ("```css\np{}\n```", ""),
        ("", ""),
    ],
)
def test_pages_are_found_in_replies(reply: str, page: str) -> None:
    assert page_in(reply) == page


@in_browser
def test_the_command_writes_page_and_report(server: KimiServer, tmp_path: Path) -> None:
    server.script(fenced(GOOD))
    mock_up().save(tmp_path / "mock-up.png")
    page, report = tmp_path / "page.html", tmp_path / "report.html"
    where = ["--base-url", server.base_url, "--endpoint", "vllm"]
    files = [str(tmp_path / "mock-up.png"), "--page", str(page), "--report", str(report)]

    done = CliRunner().invoke(app, ["page", *files, *where])

    assert done.exit_code == 0, done.output
    assert page.read_text() == GOOD
    assert "Mock-up" in report.read_text()
    assert re.search(r"100 % alike|9\d % alike", done.output)
