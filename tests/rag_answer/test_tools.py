"""Retrieval as tools, alone and in the tool-use agent."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

from langchain_kimi import create_tool_agent
from langchain_kimi.content import visual_tokens
from langchain_kimi.rag import Corpus, Filter, IngestOptions
from langchain_kimi.rag.answer import rag_tools
from langchain_kimi.rag.answer import tools as module
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.testing import call, say
from tests.rag_answer.conftest import asked, pictures, shown


@pytest.fixture
def tools(library):
    return {tool.name: tool for tool in rag_tools(library)}


def page_id(library, query: str) -> str:
    (found,) = library.search(query, k=1)
    return f"{found.document.id}:{found.page}"


def images(blocks) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(block["base64"])))
        for block in blocks
        if block["type"] == "image"
    ]


def test_search_gives_ids_and_places(tools, library) -> None:
    text = tools["search"].invoke({"query": "sales of oats in tonnes", "k": 3})
    assert text.startswith(page_id(library, "sales of oats in tonnes"))
    assert "report.pdf, page 3" in text
    assert "not for you" in text
    assert "Nothing was found" in tools["search"].invoke({"query": "xylophone"})


def test_open_page_gives_text_and_a_picture(tools, library) -> None:
    blocks = tools["open_page"].invoke({"page_id": page_id(library, "sales of oats in tonnes")})
    assert "Oats" in blocks[0]["text"]
    (picture,) = images(blocks)
    assert visual_tokens(picture) <= 1_400


def test_a_long_text_is_read_part_by_part(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_MOST_TEXT", 700)
    (tmp_path / "docs").mkdir()
    lines = "\n".join(f"Line {number} of oats." for number in range(150))
    (tmp_path / "docs" / "long.txt").write_text(f"{lines}\nThe last word is zebra.")
    corpus = Corpus(tmp_path / "index", ocr="none")
    corpus.ingest(tmp_path / "docs", options=IngestOptions(workers=0))
    open_page = next(tool for tool in rag_tools(corpus) if tool.name == "open_page")
    asked_for, read = {"page_id": page_id(corpus, "zebra")}, ""
    while "begin" not in asked_for or asked_for["begin"]:
        text = open_page.invoke(asked_for)[0]["text"].partition("\n")[2]
        part, _, more = text.partition("\n[… goes on: open_page with begin=")
        read += part
        asked_for["begin"] = int(more.rstrip("]") or 0)
    assert read.split() == f"{lines} The last word is zebra.".split()
    assert "The text ends at" in open_page.invoke(asked_for | {"begin": 99_999})
    corpus.close()


def test_scenes_that_have_no_room_are_told(tools, monkeypatch) -> None:
    monkeypatch.setattr(module, "_MOST_FRAMES", 2)
    blocks = tools["watch"].invoke({"path": "talk.mp4", "start": 0, "end": 6})
    assert len(images(blocks)) == 2
    told = [block["text"] for block in blocks if block["type"] == "text"]
    assert any(re.fullmatch(r"1 more scenes: watch again from 4\.\d+ s\.", text) for text in told)


def test_look_at_is_sharper_than_the_page(tools, library) -> None:
    name = page_id(library, "sales of oats in tonnes")
    (whole,) = images(tools["open_page"].invoke({"page_id": name}))
    region = {"page_id": name, "left": 0.1, "top": 0.15, "right": 0.6, "bottom": 0.3}
    (part,) = images(tools["look_at"].invoke(region))
    assert part.width / 0.5 > 1.5 * whole.width
    assert visual_tokens(part) <= 4_000


def test_look_at_refuses_what_it_cannot_show(tools, library) -> None:
    name = page_id(library, "sales of oats in tonnes")
    empty = {"page_id": name, "left": 0.5, "top": 0, "right": 0.5, "bottom": 1}
    assert "The region is empty" in tools["look_at"].invoke(empty)
    notes = {**empty, "page_id": page_id(library, "deliveries bakery"), "right": 1}
    assert "no page to enlarge" in tools["look_at"].invoke(notes)
    assert "There is no page 'x:1'" in tools["open_page"].invoke({"page_id": "x:1"})


def test_watch_shows_frames_with_times_and_words(tools) -> None:
    blocks = tools["watch"].invoke({"path": "talk.mp4", "start": 2.0, "end": 4.0})
    text = "\n".join(block.get("text", "") for block in blocks)
    assert "ninety times a minute" in text
    assert "At 00:02:" in text
    assert "At 00:05:" not in text
    assert len(images(blocks)) >= 4
    assert "shows nothing" in tools["watch"].invoke({"path": "talk.mp4", "start": 90, "end": 99})
    assert "shows nothing" in tools["watch"].invoke({"path": "report.pdf", "start": 0, "end": 9})


def test_the_conditions_hold_for_every_tool(library) -> None:
    tools = {tool.name: tool for tool in rag_tools(library, where=Filter(paths=("report.pdf",)))}
    hidden = page_id(library, "price of oats in 2024")
    assert "There is no page" in tools["open_page"].invoke({"page_id": hidden})
    assert "There is no document" in tools["watch"].invoke(
        {"path": "talk.mp4", "start": 0, "end": 1}
    )
    assert "forecast.pdf" not in tools["search"].invoke({"query": "price of oats in 2024"})


def test_conditions_on_pages_and_kinds_hold_for_every_tool(library) -> None:
    table = page_id(library, "sales of oats in tonnes")
    cover = page_id(library, "Birch Mills Annual Report")
    edges = {"left": 0, "top": 0, "right": 1, "bottom": 1}
    for where in (
        Filter(pages=(3, 3)),
        Filter(ids=(table,)),
        Filter(kinds=("table",)),
        Filter(documents=(table.split(":")[0],), pages=(2, 3)),
    ):
        tools = {tool.name: tool for tool in rag_tools(library, where=where)}
        assert "Oats" in tools["open_page"].invoke({"page_id": table})[0]["text"]
        assert images(tools["look_at"].invoke({"page_id": table, **edges}))
        for name, more in (("open_page", {}), ("look_at", edges)):
            assert "There is no page" in tools[name].invoke({"page_id": cover, **more})
    second = {tool.name: tool for tool in rag_tools(library, where=Filter(pages=(2, 2)))}
    assert "shows nothing" in second["watch"].invoke({"path": "talk.mp4", "start": 0, "end": 1})
    assert images(second["watch"].invoke({"path": "talk.mp4", "start": 0, "end": 4}))


@pytest.mark.parametrize("dialect", ["nvidia", "vllm", "moonshot"])
async def test_the_tool_agent_searches_and_looks(library, kimi_server_factory, dialect) -> None:
    from langchain_kimi import ChatKimi

    server = kimi_server_factory(dialect)
    name = page_id(library, "sales of oats in tonnes")
    server.script(call("search", query="sales of oats"))
    server.script(call("look_at", page_id=name, left=0, top=0, right=1, bottom=0.5))
    server.script(say("81 tonnes."))
    llm = ChatKimi(base_url=server.base_url, api_key="test", endpoint=dialect)
    agent = create_tool_agent(llm, rag_tools(library))
    result = await agent.ainvoke(asked("How many tonnes of oats?"))
    assert result["messages"][-1].text == "81 tonnes."
    assert "report.pdf, page 3" in shown(server.requests[1])
    assert pictures(server.requests[2]) == 1
    for message in server.requests[2]["messages"]:
        assert message["role"] == "user" or not pictures({"messages": [message]})
    await llm.aclose()


async def test_a_background_agent_searches_and_looks(library, kimi_server, llm, tmp_path) -> None:
    name = page_id(library, "sales of oats in tonnes")

    def reply(request):
        said = shown(request)
        if "assign_task" in str(request.get("tools")):
            done = "81 tonnes." in said
            return (
                say("81 tonnes.") if done else call("assign_task", agent="general", prompt="oats")
            )
        if pictures(request):
            return say("81 tonnes.")
        if "report.pdf, page 3" in said:
            return call("open_page", page_id=name)
        return call("search", query="sales of oats")

    kimi_server.respond_with(reply)
    agent = create_background_agent(llm, rag_tools(library), journal=tmp_path / "journal.sqlite")
    found = await agent.ainvoke(
        asked("How many tonnes of oats?"), {"configurable": {"thread_id": "oats"}}
    )
    await llm.aclose()
    assert found["result"] == "81 tonnes."
    assert [pictures(request) for request in kimi_server.requests] == [0, 0, 0, 1, 0]
