"""The graph on the scripted endpoint: each node's work, whole and streamed."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver

from langchain_kimi import ChatKimi
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.rag import Filter
from langchain_kimi.rag.answer import Answer, EvidenceBudget, create_multimodal_rag
from langchain_kimi.rag.answer.shots import CACHE
from langchain_kimi.testing import call, hang, say, think
from tests.rag_answer.conftest import asked, number_of, pictures, plan, shown, sign

DASH = "\u2013"
OATS = "How did sales of oats develop?"


def replies(*turns):
    """Answer the plan and then the drafts; a draft is a function of its request."""
    left = list(turns)

    def respond(body):
        turn = left.pop(0)
        return turn(body) if callable(turn) else turn

    return respond


def oats(body) -> list:
    source = number_of(body, "report.pdf, page 3")
    return [
        think("The table on page 3."),
        say(f'Oats rose from 77 to 81 tonnes [1].\n\nEvidence:\n[1] S{source} "Oats 77 81"'),
    ]


async def test_an_answer_with_its_page_its_box_and_its_quote(library, kimi_server, llm) -> None:
    kimi_server.respond_with(replies(plan(OATS, evidence=["table"]), oats))
    result = await create_multimodal_rag(library, llm).ainvoke(asked(OATS))
    answer = result["answer"]
    assert isinstance(answer, Answer)
    assert answer.text == "Oats rose from 77 to 81 tonnes [1]."
    assert answer.status == "answered"
    (claim,) = answer.claims
    assert (claim.confidence, claim.citations) == ("high", (1,))
    (citation,) = answer.citations
    assert (citation.file, citation.page, citation.quote) == ("report.pdf", 3, "Oats | 77 | 81")
    assert citation.link == "report.pdf#page=3"
    x0, y0, x1, y1 = citation.box
    assert 76 < x0 < 80
    assert 185 < y0 < y1 < 200
    assert x1 < 310
    assert answer.searched.documents == 5
    assert answer.searched.queries == (OATS,)
    assert answer.usage.calls == 2
    assert answer.usage.input_tokens > answer.searched.evidence_tokens
    assert not answer.stand_in
    message = result["messages"][-1]
    assert message.text == answer.text
    assert message.additional_kwargs["reasoning_content"] == "The table on page 3."
    kept = Answer.model_validate(message.additional_kwargs["answer"])
    assert kept.model_dump() == answer.model_dump()


async def test_the_model_sees_pages_frames_and_crops(library, kimi_server, llm) -> None:
    kimi_server.respond_with(replies(plan(OATS, "millstone"), oats))
    await create_multimodal_rag(library, llm).ainvoke(asked(OATS))
    planned, answered = kimi_server.requests
    assert pictures(planned) == 0
    assert pictures(answered) >= 6
    text = shown(answered)
    assert "[S" in text
    assert "at 00:0" in text
    assert [message["role"] for message in answered["messages"]] == ["system", "user", "user"]
    assert answered["messages"][-1]["content"] == OATS


def test_streamed_and_not_give_the_same(library, kimi_server, llm) -> None:
    graph = create_multimodal_rag(library, llm)
    kimi_server.respond_with(replies(plan(OATS), oats, plan(OATS), oats))
    whole = graph.invoke(asked(OATS))["answer"]
    events, text, reasoning, nodes, last = [], "", "", [], {}
    for mode, part in graph.stream(asked(OATS), stream_mode=["custom", "messages", "values"]):
        if mode == "custom":
            events.append(part)
        elif mode == "messages":
            chunk, metadata = part
            text += chunk.text
            reasoning += chunk.additional_kwargs.get("reasoning_content", "")
            nodes.append(metadata["langgraph_node"])
        else:
            last = part
    assert last["answer"].model_dump() == whole.model_dump()
    assert set(nodes) == {"answer"}
    assert text.startswith("Oats rose from 77 to 81 tonnes [1].")
    assert text.count("Oats rose") == 1
    assert reasoning == "The table on page 3."
    kinds = ["understood", "retrieved", "packed", "checked", "answered"]
    assert [event["event"] for event in events] == kinds
    assert all(set(event) == {"type", "event", "round", "detail"} for event in events)
    assert json.dumps(events)


async def test_multi_hop_over_two_documents(library, kimi_server, llm) -> None:
    question = "What would the oats sold in 2023 cost at the price forecast for 2024?"
    parts = ["How many tonnes of oats were sold in 2023?", "What will oats cost in 2024?"]

    def draft(body):
        report = number_of(body, "report.pdf, page 3")
        price = number_of(body, "forecast.pdf, page 1")
        return say(
            "In 2023 81 tonnes of oats were sold [1]. Oats will cost 240 euros a tonne [2]. "
            f'Together 19,440 euros [1, 2].\n\nEvidence:\n[1] S{report} "Oats 77 81"\n'
            f'[2] S{price} "price of oats will rise to 240 euros a tonne in 2024"'
        )

    kimi_server.respond_with(replies(plan(question, *parts), draft))
    graph = create_multimodal_rag(library, llm, budget=EvidenceBudget(tokens=3_000, visual=0))
    answer = (await graph.ainvoke(asked(question)))["answer"]
    assert answer.searched.queries == (question, *parts)
    assert {citation.file for citation in answer.citations} == {"report.pdf", "forecast.pdf"}
    assert [claim.confidence for claim in answer.claims] == ["high", "high", "medium"]
    assert answer.claims[2].note == "not in the quotes: 19440"
    assert answer.claims[2].citations == (1, 2)


async def test_a_conversation_with_a_follow_up(library, kimi_server, llm) -> None:
    where = Filter(paths=("report.pdf",))
    graph = create_multimodal_rag(library, llm, where=where, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}

    def rye(body):
        source = number_of(body, "report.pdf, page 3")
        return say(f'Rye rose to 455 tonnes [1].\n\nEvidence:\n[1] S{source} "Rye 410 455"')

    complete = "How did sales of rye develop?"
    kimi_server.respond_with(replies(plan(OATS), oats, plan(complete), rye))
    await graph.ainvoke(asked(OATS), config)
    result = await graph.ainvoke(asked("And rye?"), config)
    assert result["answer"].question == complete
    assert result["answer"].text == "Rye rose to 455 tonnes [1]."
    _, first, planned, second = kimi_server.requests
    assert "Oats rose from 77 to 81" in shown(planned)
    assert second["messages"][:2] == first["messages"][:2]
    assert "Oats rose from 77 to 81" in shown({"messages": second["messages"][2:]})
    assert second["messages"][-1]["content"].startswith("And rye?")
    assert complete in second["messages"][-1]["content"]


async def test_checkpoints_hold_no_pixels(library, kimi_server, llm) -> None:
    saver = InMemorySaver()
    graph = create_multimodal_rag(library, llm, checkpointer=saver)
    config = {"configurable": {"thread_id": "1"}}
    kimi_server.respond_with(replies(plan(OATS), oats))
    await graph.ainvoke(asked(OATS), config)
    assert pictures(kimi_server.requests[1])
    stored = sum(len(data) for blobs in (saver.blobs.values(),) for _, data in blobs)
    assert stored < 30_000
    kept = (await graph.aget_state(config)).values
    assert "answer" not in kept
    assert kept["messages"][-1].additional_kwargs["answer"]["status"] == "answered"


async def test_a_false_quote_is_dropped_and_the_claim_marked(library, kimi_server, llm) -> None:
    def draft(body):
        source = number_of(body, "report.pdf, page 3")
        return say(
            f"Oats rose to 81 tonnes [1]. Wheat rose to 999 tonnes [2].\n\nEvidence:\n"
            f'[1] S{source} "Oats 77 81"\n[2] S{source} "Wheat 960 999"'
        )

    kimi_server.respond_with(replies(plan(OATS), draft))
    answer = (await create_multimodal_rag(library, llm, rounds=1).ainvoke(asked(OATS)))["answer"]
    assert answer.text == "Oats rose to 81 tonnes [1]. Wheat rose to 999 tonnes [unverified]."
    assert answer.status == "partly"
    assert [claim.confidence for claim in answer.claims] == ["high", "none"]
    assert [citation.quote for citation in answer.citations] == ["Oats | 77 | 81"]
    (dropped,) = answer.dropped
    assert (dropped.quote, dropped.reason) == ("Wheat 960 999", "not on its page")


async def test_a_quote_from_another_page_is_false(library, kimi_server, llm) -> None:
    def draft(body):
        source = number_of(body, "report.pdf, page 2")
        return say(f'Oats rose [1].\n\nEvidence:\n[1] S{source} "Oats 77 81"\n[2] S99 "Oats 77"')

    kimi_server.respond_with(replies(plan(OATS), draft))
    answer = (await create_multimodal_rag(library, llm, rounds=1).ainvoke(asked(OATS)))["answer"]
    assert answer.status == "not_answered"
    assert {one.reason for one in answer.dropped} == {"not on its page", "there is no such source"}


async def test_it_asks_again_with_what_was_wrong(library, kimi_server, llm) -> None:
    bad = say('Oats rose to 99 tonnes [1].\n\nEvidence:\n[1] S1 "Oats 77 99"')
    kimi_server.respond_with(replies(plan(OATS), bad, oats))
    answer = (await create_multimodal_rag(library, llm).ainvoke(asked(OATS)))["answer"]
    assert answer.status == "answered"
    assert answer.searched.rounds == 2
    again = kimi_server.requests[-1]["messages"][-1]["content"]
    assert "A draft before this one was refused" in again
    assert "Oats 77 99" in again


async def test_it_looks_again_for_what_is_missing_and_stops(library, kimi_server, llm) -> None:
    missing = "NOT IN THE DOCUMENTS: the harvest of apples"
    kimi_server.respond_with(replies(plan("How many apples?"), say(missing), say(missing)))
    budget = EvidenceBudget(tokens=150, visual=0)
    graph = create_multimodal_rag(library, llm, budget=budget)
    answer = (await graph.ainvoke(asked("How many apples were harvested?")))["answer"]
    assert answer.status == "not_answered"
    assert answer.text == "The documents do not answer this: the harvest of apples"
    assert answer.searched.queries == ("How many apples?", "the harvest of apples")
    assert answer.searched.rounds == 2
    assert len(kimi_server.requests) == 3


async def test_nothing_found_is_said_without_the_model(library, kimi_server, llm) -> None:
    kimi_server.respond_with(replies(plan("zzz")))
    graph = create_multimodal_rag(library, llm, where=Filter(paths=("nowhere/*",)))
    answer = (await graph.ainvoke(asked("zzz")))["answer"]
    assert answer.status == "not_answered"
    assert "nothing was found" in answer.text
    assert len(kimi_server.requests) == 1


async def test_a_part_is_answered_and_the_rest_named(library, kimi_server, llm) -> None:
    def draft(body):
        source = number_of(body, "report.pdf, page 3")
        return say(
            "Oats rose to 81 tonnes [1].\nNOT IN THE DOCUMENTS: sales of barley\n\n"
            f'Evidence:\n[1] S{source} "Oats 77 81"'
        )

    kimi_server.respond_with(replies(plan(OATS), draft))
    answer = (await create_multimodal_rag(library, llm, rounds=1).ainvoke(asked(OATS)))["answer"]
    assert answer.status == "partly"
    assert "[1]" in answer.text
    assert answer.text.endswith("The documents do not answer this: sales of barley")


async def test_what_is_only_seen_is_marked(library, kimi_server, llm) -> None:
    def draft(body):
        source = number_of(body, "report.pdf, page 4")
        return say(
            f"Most orders come from the south [1].\n\nEvidence:\n[1] S{source} seen: its bar"
        )

    kimi_server.respond_with(replies(plan("Where do orders come from?"), draft))
    answer = (await create_multimodal_rag(library, llm).ainvoke(asked("Orders?")))["answer"]
    (claim,) = answer.claims
    assert (claim.confidence, claim.note) == ("low", "seen in a picture, not quoted")
    assert answer.citations[0].seen == "its bar"
    assert answer.citations[0].quote == ""


async def test_a_picture_that_was_not_shown_cannot_be_seen(library, kimi_server, llm) -> None:
    def draft(body):
        source = number_of(body, "report.pdf, page 4")
        return say(f"The south leads [1].\n\nEvidence:\n[1] S{source} seen: its bar")

    kimi_server.respond_with(replies(plan("Orders by region"), draft))
    budget = EvidenceBudget(tokens=3_000, visual=0)
    graph = create_multimodal_rag(library, llm, budget=budget, rounds=1)
    answer = (await graph.ainvoke(asked("Orders?")))["answer"]
    assert answer.dropped[0].reason == "its picture was not shown"


async def test_a_video_is_cited_with_its_seconds(library, kimi_server, llm) -> None:
    question = "How fast does the millstone turn?"

    def draft(body):
        source = number_of(body, "talk.mp4, 00:02")
        return say(
            "It turns ninety times a minute [1].\n\n"
            f'Evidence:\n[1] S{source} "turns ninety times a minute"'
        )

    kimi_server.respond_with(replies(plan(question, evidence=["video"]), draft))
    answer = (await create_multimodal_rag(library, llm).ainvoke(asked(question)))["answer"]
    (citation,) = answer.citations
    assert citation.file == "talk.mp4"
    assert (citation.start, citation.end) == (2.4, 3.9)
    assert citation.link == "talk.mp4#t=2.4,3.9"
    assert citation.place == f"talk.mp4, 00:02{DASH}00:03"


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="Debian's tesseract-ocr is not there")
async def test_a_picture_is_the_question(library, kimi_server, llm) -> None:
    buffer = io.BytesIO()
    sign().resize((600, 200)).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    content = [{"type": "image", "base64": data, "mime_type": "image/png"}]

    def draft(body):
        source = number_of(body, "sign.png, page 1")
        assert pictures({"messages": body["messages"][-1:]}) == 1
        return say(f'It is open 9 to 17 [1].\n\nEvidence:\n[1] S{source} "HOURS 9 TO 17"')

    kimi_server.respond_with(replies(plan("a sign"), draft))
    where = Filter(media_types=("image/png", "application/pdf"))
    graph = create_multimodal_rag(
        library, llm, where=where, budget=EvidenceBudget(tokens=2_000), understand=True
    )
    result = await graph.ainvoke({"messages": [{"role": "user", "content": content}]})
    assert pictures(kimi_server.requests[0]) == 1
    (citation,) = result["answer"].citations
    assert citation.file == "sign.png"
    assert citation.box is not None


def test_without_the_plan_there_is_one_call(library, kimi_server, llm) -> None:
    kimi_server.respond_with(replies(oats))
    answer = create_multimodal_rag(library, llm, understand=False).invoke(asked(OATS))["answer"]
    assert answer.status == "answered"
    assert answer.usage.calls == 1


def test_a_plan_that_cannot_be_read_does_not_stop_it(library, kimi_server, llm) -> None:
    kimi_server.respond_with(replies(say("I would search."), say("I would search."), oats))
    answer = create_multimodal_rag(library, llm).invoke(asked(OATS))["answer"]
    assert answer.status == "answered"
    assert answer.question == OATS


def test_the_plan_may_name_documents_that_are_there(library, kimi_server, llm) -> None:
    documents = ["forecast.pdf", "secret.pdf", "../x"]
    kimi_server.respond_with(
        replies(plan("price of oats", documents=documents), say("NOT IN THE DOCUMENTS: x"))
    )
    create_multimodal_rag(library, llm, rounds=1).invoke(asked("price of oats in forecast.pdf"))
    heads = [line for line in shown(kimi_server.requests[-1]).splitlines() if line[:2] == "[S"]
    assert {head.split("] ")[1].split(",")[0] for head in heads if "enlarged" not in head} == {
        "forecast.pdf"
    }


def test_the_reranker_has_the_last_word_on_order(library, kimi_server, llm) -> None:
    seen = []

    def reranker(question, pages, picture=None, /):
        seen.append((question, len(pages)))
        return [page for page in pages if page.document.path == "forecast.pdf"]

    kimi_server.respond_with(replies(plan("price of oats"), say("NOT IN THE DOCUMENTS: x")))
    budget = EvidenceBudget(tokens=200, visual=0)
    graph = create_multimodal_rag(library, llm, reranker=reranker, rounds=1, budget=budget)
    graph.invoke(asked("price of oats"))
    assert seen[0][0] == "price of oats"
    assert "[S1] forecast.pdf, page 1" in shown(kimi_server.requests[-1])


def test_a_file_that_changed_has_text_and_no_picture(files, tmp_path, kimi_server, llm) -> None:
    from langchain_kimi.rag import Corpus, IngestOptions

    folder = tmp_path / "docs"
    folder.mkdir()
    shutil.copy(files / "report.pdf", folder)
    corpus = Corpus(tmp_path / "index", ocr="none")
    corpus.ingest(folder, options=IngestOptions(workers=0))
    (folder / "report.pdf").write_bytes(b"something else")
    CACHE.clear()

    def draft(body):
        source = number_of(body, "report.pdf, page 3")
        return say(
            f'Oats rose [1]. The line is bold [2].\n\nEvidence:\n[1] S{source} "Oats 77 81"\n'
            f"[2] S{source} seen: a bold line"
        )

    kimi_server.respond_with(replies(plan(OATS), draft))
    answer = create_multimodal_rag(corpus, llm, rounds=1).invoke(asked(OATS))["answer"]
    told = shown(kimi_server.requests[-1])
    assert "has no picture: report.pdf has changed" in told
    assert str(folder) not in told, "where files lie is not the model's to know"
    (citation,) = answer.citations
    assert citation.quote == "Oats | 77 | 81"
    assert citation.box is not None
    assert answer.dropped[0].reason == "its picture was not shown"
    assert answer.searched.shown > answer.searched.shown_as_pictures == 0
    corpus.close()


async def test_cancelled_runs_leave_the_thread_and_the_graph_usable(
    library, kimi_server, llm
) -> None:
    graph = create_multimodal_rag(library, llm, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def hangs(_):
        loop.call_soon_threadsafe(begun.set)
        return hang()

    kimi_server.respond_with(replies(plan(OATS), hangs, plan(OATS), oats))
    cancelled = asyncio.create_task(graph.ainvoke(asked(OATS), config))
    await asyncio.wait_for(begun.wait(), 60)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    result = await graph.ainvoke(asked(OATS), config)
    await llm.aclose()
    assert result["answer"].status == "answered"
    assert [message.type for message in result["messages"]] == ["human", "human", "ai"]


def test_what_is_no_question_is_refused(library, llm) -> None:
    graph = create_multimodal_rag(library, llm)
    with pytest.raises(ValueError, match="there is no question"):
        graph.invoke({"messages": [AIMessage("Hello.")]})
    with pytest.raises(ValueError, match="rounds=0"):
        create_multimodal_rag(library, llm, rounds=0)


async def test_model_corpus_and_budget_by_context(library, kimi_server) -> None:
    llm = ChatKimi(base_url=kimi_server.base_url, api_key="test", endpoint="vllm")
    graph = create_multimodal_rag(
        lambda context: context["corpus"],
        lambda context: context["model"],
        budget=lambda context: EvidenceBudget(tokens=context["tokens"]),
        context_schema=dict,
    )
    kimi_server.respond_with(replies(plan(OATS), oats))
    context = {"corpus": library, "model": llm, "tokens": 5_000}
    answer = (await graph.ainvoke(asked(OATS), context=context))["answer"]
    assert answer.status == "answered"
    assert answer.searched.evidence_tokens <= 5_000
    await llm.aclose()


def test_a_tool_call_of_the_model_is_not_run(library, kimi_server, llm) -> None:
    kimi_server.respond_with(replies(plan(OATS), [say("x"), call("delete_everything")]))
    answer = create_multimodal_rag(library, llm, rounds=1).invoke(asked(OATS))["answer"]
    assert answer.status == "not_answered"
    assert len(kimi_server.requests) == 2
    assert not any("tools" in request for request in kimi_server.requests)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"corpus": ".kimi-corpus"}, "corpus is of type str. Give Corpus"),
        ({"model": 5}, "model is of type int"),
        ({"model": RunnableLambda(str)}, "model is of type RunnableLambda"),
        ({"budget": 96_000}, r"budget is of type int. Give EvidenceBudget"),
        ({"where": {"paths": ("a",)}}, "where is of type dict"),
        ({"reranker": 5}, "reranker is of type int"),
        ({"rounds": "2"}, "rounds is of type str, no whole number"),
        ({"rounds": True}, "rounds is of type bool"),
        ({"rounds": 0}, "rounds=0: 1 is the least"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused(library, llm, arguments, reason) -> None:
    with pytest.raises(KimiInvalidInputError, match=reason):
        create_multimodal_rag(**{"corpus": library, "model": llm, **arguments})


def test_a_bound_model_answers(library, kimi_server, llm) -> None:
    kimi_server.respond_with(replies(plan(OATS), oats))
    graph = create_multimodal_rag(library, llm.bind(temperature=0.6))
    assert graph.invoke(asked(OATS))["answer"].status == "answered"
    assert [request["temperature"] for request in kimi_server.requests] == [0.6, 0.6]
