"""Answers: evidence in the context, quotes, unanswerable questions, speed.

Run: python benchmarks/answer.py [--data DIR] [--work DIR] [--quick]

`--data` takes a folder with `documents/` and `questions.jsonl`: a line has `doc`, `question`,
`evidence_pages` (from 1; empty where the document has no answer) and, where they are labelled,
`regions` with `page`, `bbox` in points from the upper left, and `page_size`.

The answers are the stand-in's, which is no model: they show that quotes are checked and what the
machinery costs. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import pypdfium2 as pdfium  # noqa: E402
from langchain_core.messages import HumanMessage  # noqa: E402

from langchain_kimi import ChatKimi  # noqa: E402
from langchain_kimi.rag import Box, Corpus, Filter, Found, IngestOptions  # noqa: E402
from langchain_kimi.rag.answer import (  # noqa: E402
    Answer,
    EvidenceBudget,
    Packed,
    create_multimodal_rag,
    pack,
)
from langchain_kimi.rag.answer.candidates import Candidate, candidate_of  # noqa: E402
from langchain_kimi.rag.answer.places import place_of  # noqa: E402
from langchain_kimi.rag.answer.plan import conversation  # noqa: E402
from langchain_kimi.rag.answer.prompt import answer_messages  # noqa: E402
from langchain_kimi.rag.answer.retrieve import Ranked, retrieve, widen  # noqa: E402
from langchain_kimi.rag.answer.shots import CACHE, blocks_of  # noqa: E402
from langchain_kimi.rag.answer.sources import load_pages, load_sources  # noqa: E402
from langchain_kimi.testing import KimiServer  # noqa: E402

Question = dict[str, Any]

WINDOWS = {"32k": 32_768, "64k": 65_536, "128k": 131_072, "256k": 262_144}
MARKS = (20, 40, 96)
QUOTED = 6
"""Words of a quote out of a labelled region."""


def main() -> None:
    default = Path(os.environ.get("KIMI_SHARED_DATA", ROOT / "../shared/data")) / "mmlongbench-dev"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--work", type=Path, help="keep the index and the OCR cache here")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="every fourth question")
    options = parser.parse_args()
    if not (options.data / "questions.jsonl").is_file():
        sys.exit(f"no questions.jsonl in {options.data}: pass --data DIR")
    with tempfile.TemporaryDirectory() as temporary:
        figures = run(options, options.work or Path(temporary))
    print(json.dumps(figures))


def run(options: argparse.Namespace, work: Path) -> dict[str, float | None]:
    corpus = Corpus(work / "corpus")
    report = corpus.ingest(
        options.data / "documents", options=IngestOptions(workers=options.workers)
    )
    print(f"corpus: {report.summary()}")
    names = {Path(record.path).name: record.id for record in corpus.documents()}
    questions = asked_of(options.data / "questions.jsonl", names)
    if options.quick:
        questions = questions[::4]
    figures: dict[str, float | None] = {}
    figures |= evidence(corpus, questions, names)
    figures |= boxes(corpus, questions, names)
    figures["pack_ms_1000_candidates"] = round(pack_speed(), 2)
    with KimiServer("vllm", record=False) as server:
        llm = ChatKimi(base_url=server.base_url, api_key="none", endpoint="vllm", thinking=False)
        figures |= answers(corpus, questions, names, llm)
        figures |= first_token(corpus, questions, llm)
        llm.close()
    corpus.close()
    return figures


def asked_of(file: Path, names: dict[str, str]) -> list[Question]:
    """Return the questions about documents that are in the corpus; say how many are not."""
    lines = file.read_text("utf-8").splitlines()
    every = [json.loads(line) for line in lines if line.strip()]
    questions = [question for question in every if question["doc"] in names]
    if len(questions) < len(every):
        print(f"{len(every) - len(questions)} questions are about documents that are not there")
    if not questions:
        sys.exit(f"{file} asks nothing about the documents beside it")
    return questions


# --- evidence in the context ---------------------------------------------------------------------


def evidence(
    corpus: Corpus, questions: Sequence[Question], names: dict[str, str]
) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    questions = [question for question in questions if question["evidence_pages"]]
    for scope in ("doc", "corpus"):
        held: dict[str, list[float]] = defaultdict(list)
        for question in questions:
            where = Filter(documents=(names[question["doc"]],)) if scope == "doc" else None
            ranked = candidates(corpus, question["question"], where)
            gold = {f"{names[question['doc']]}:{page}" for page in question["evidence_pages"]}
            for k in MARKS:
                held[f"first {k} pages"].append(share(gold, {one.id for one in ranked[:k]}))
            for name, tokens in WINDOWS.items():
                packed = pack(loaded(corpus, ranked), EvidenceBudget(tokens=budget_of(tokens)))
                held[name].append(share(gold, {slot.id for slot in packed.slots}))
                held[f"{name} as pictures"].append(share(gold, in_pictures(packed)))
        print(f"\nevidence in context, {scope}, {len(questions)} questions, % of gold pages:")
        for name, values in held.items():
            print(f"  {name:18} {percent(values)}")
        for name in WINDOWS:
            figures[f"evidence_in_{name}_{scope}"] = percent(held[name])
    return figures


def budget_of(window: int) -> int:
    """Return what a window leaves for evidence: an eighth of it, at most 20,000, is kept."""
    return window - min(window // 8, 20_000)


def candidates(corpus: Corpus, question: str, where: Filter | None) -> list[Ranked]:
    return widen(corpus, retrieve(corpus, [question], where=where), where)


def loaded(corpus: Corpus, ranked: Sequence[Ranked]) -> list[Candidate]:
    pages = {f"{page.document.id}:{page.page}": page for page in pages_by_id(corpus, ranked)}
    return [candidate_of(pages[one.id], one.crops) for one in ranked if one.id in pages]


_pages: dict[str, Found] = {}


def pages_by_id(corpus: Corpus, ranked: Sequence[Ranked]) -> Iterator[Found]:
    """Load each page once: the same ones come again for every budget."""
    missing = [one.id for one in ranked if one.id not in _pages]
    for page in load_pages(corpus, missing):
        _pages[f"{page.document.id}:{page.page}"] = page
    return (_pages[one.id] for one in ranked if one.id in _pages)


def share(gold: set[str], held: set[str]) -> float:
    return len(gold & held) / len(gold)


def in_pictures(packed: Packed) -> set[str]:
    return {slot.id for slot in packed.slots if slot.view is not None}


# --- speed of the packer --------------------------------------------------------------------------


def pack_speed() -> float:
    """Return the slowest median over the windows, in milliseconds, for 1,000 mixed candidates."""
    chooser = random.Random(5)
    made = [made_candidate(number, chooser) for number in range(1_000)]
    medians = []
    for tokens in WINDOWS.values():
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            pack(made, EvidenceBudget(tokens=tokens))
            times.append(1000 * (time.perf_counter() - begun))
        medians.append(statistics.median(times))
    named = zip(WINDOWS, medians, strict=True)
    print(f"\npack: {', '.join(f'{name} {ms:.1f} ms' for name, ms in named)}")
    return max(medians)


def made_candidate(number: int, chooser: random.Random) -> Candidate:
    kind = chooser.choice(["page", "page", "page", "picture", "scene", "text"])
    return Candidate(
        id=f"{number}",
        path=f"{number % 40}.pdf",
        page=number,
        kind=kind,  # type: ignore[arg-type]
        text_tokens=chooser.randint(0, 1_500),
        size=(612.0 + number % 7, 792.0) if kind == "page" else (1920.0, 1080.0 + number % 5),
        seconds=chooser.uniform(0, 60),
        crops=(Box(72, 72, 400, 300), Box(72, 400, 500, 600)),
    )


# --- answers of the stand-in ----------------------------------------------------------------------


def answers(
    corpus: Corpus, questions: Sequence[Question], names: dict[str, str], llm: ChatKimi
) -> dict[str, float | None]:
    said: dict[bool, list[bool]] = defaultdict(list)
    quotes: list[bool] = []
    caught: list[bool] = []
    ious: list[float] = []
    inside: list[bool] = []
    budget = EvidenceBudget(tokens=64_000, visual=0)  # the stand-in sees no pictures
    for question in questions:
        where = Filter(documents=(names[question["doc"]],))
        graph = create_multimodal_rag(corpus, llm, where=where, budget=budget)
        answer: Answer = graph.invoke(asked(question["question"]))["answer"]
        said[bool(question["evidence_pages"])].append(answer.status == "not_answered")
        quotes += [False] * len(answer.dropped)  # it quotes word for word: none may be dropped
        for citation in answer.citations:
            (page,) = load_pages(corpus, [citation.id])
            quotes.append(letters(citation.quote) in letters(page.text))
            caught.append(place_of(corpus, page, falsified(citation.quote)) is None)
            gold = [
                gold_box(region, page)
                for region in question.get("regions", ())
                if region["page"] == citation.page
            ]
            if gold and citation.box is not None:
                box = Box(*citation.box)
                ious.append(max(box.iou(one) for one in gold))
                inside.append(max(box.inside(one) for one in gold) > 0.5)
    print(f"\nstand-in, {len(questions)} questions within the document:")
    print(f"  unanswerable, said so: {percent(said[False])} % of {len(said[False])}")
    print(f"  answerable, but refused: {percent(said[True])} % of {len(said[True])}")
    print(f"  quotes found on their page: {percent(quotes)} % of {len(quotes)}")
    print(f"  quotes with a changed word caught: {percent(caught)} % of {len(caught)}")
    if ious:
        print(f"  boxes on labelled pages: mean IoU {statistics.fmean(ious):.2f}, ", end="")
        print(f"{percent(inside)} % of {len(inside)} lie in a labelled region")
    return {"quotes_found_pct": percent(quotes), "unanswerable_said_pct": percent(said[False])}


def asked(question: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}]}


def letters(text: str) -> str:
    """Return letters and digits alone: another way to look than the graph's own."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


def falsified(quote: str) -> str:
    """Change one word or number in the middle of a quote."""
    words = quote.split()
    middle = len(words) // 2
    number = re.search(r"\d", words[middle])
    words[middle] = f"{words[middle]}7" if number else "zebra"
    return " ".join(words)


def percent(values: Sequence[float]) -> float | None:
    return round(100 * statistics.fmean(values), 1) if values else None


# --- boxes of quotes ------------------------------------------------------------------------------


def boxes(
    corpus: Corpus, questions: Sequence[Question], names: dict[str, str]
) -> dict[str, float | None]:
    """Quote each labelled region, all of it and words inside it; tell where quotes are boxed."""
    found: list[bool] = []
    inside: list[bool] = []
    ious: list[float] = []
    for question in questions:
        for region in question.get("regions", ()):
            pages = load_pages(corpus, [f"{names[question['doc']]}:{region['page']}"])
            gold = gold_box(region, pages[0]) if pages else None
            words = words_inside(pages[0], gold) if gold else []
            if gold is None or len(words) < QUOTED:
                continue
            start = (len(words) - QUOTED) // 2
            place = place_of(corpus, pages[0], " ".join(words[start : start + QUOTED]))
            found.append(place is not None)
            if place is not None and place.box is not None:
                inside.append(place.box.inside(gold.grown(3)) > 0.9)
            whole = place_of(corpus, pages[0], " ".join(words))
            ious.append(whole.box.iou(gold) if whole is not None and whole.box else 0.0)
    iou = round(statistics.fmean(ious), 2) if ious else None
    print(f"\n{QUOTED} words out of {len(found)} labelled regions with a text layer: ", end="")
    print(f"{percent(found)} % found on the page, {percent(inside)} % of their boxes in the region")
    print(f"all words of a region: mean IoU of their box with the label {iou}")
    return {"region_quotes_found_pct": percent(found), "region_box_iou": iou}


def gold_box(region: dict[str, Any], page: Found) -> Box:
    """Return a labelled box in the points of the page as the corpus has it."""
    width, height = page.page_size or region["page_size"]
    across, down = region.get("page_size") or (width, height)
    x0, y0, x1, y1 = region["bbox"]
    box = (x0 * width / across, y0 * height / down, x1 * width / across, y1 * height / down)
    return Box(*box)


def words_inside(page: Found, box: Box) -> list[str]:
    """Read a box of a page by PDFium's own means; a turned page is left out."""
    if page.document.media_type != "application/pdf":
        return []
    with pdfium.PdfDocument(page.document.source) as document:
        drawn = document[page.page - 1]
        left, _, _, top = drawn.get_cropbox()
        textpage = drawn.get_textpage()
        edges = (left + box.x0, top - box.y1, left + box.x1, top - box.y0)
        text = "" if drawn.get_rotation() else str(textpage.get_text_bounded(*edges))
        textpage.close()
        drawn.close()
    return text.split()


# --- time to the first token ----------------------------------------------------------------------


def first_token(
    corpus: Corpus, questions: Sequence[Question], llm: ChatKimi
) -> dict[str, float | None]:
    """Compare the graph with the bare model, given the same request, to the first token."""
    graph = create_multimodal_rag(corpus, llm)
    cold: list[float] = []
    warm: list[float] = []
    for question in [one["question"] for one in questions[:: max(1, len(questions) // 8)]]:
        CACHE.clear()
        cold.append(until_token(graph, question))
        warm.append(until_token(graph, question) - bare(corpus, llm, question))
    print(
        f"\nfirst token after the bare model's: {statistics.median(warm):.0f} ms with pages drawn"
    )
    print(f"first token with no page drawn before: {statistics.median(cold):.0f} ms in all")
    return {"first_token_overhead_ms": round(statistics.median(warm), 1)}


def until_token(graph: Any, question: str) -> float:
    begun = time.perf_counter()
    for chunk, _ in graph.stream(asked(question), stream_mode="messages"):
        if chunk.text:
            break
    return 1000 * (time.perf_counter() - begun)


def bare(corpus: Corpus, llm: ChatKimi, question: str) -> float:
    ranked = candidates(corpus, question, None)
    packed = pack(loaded(corpus, ranked), EvidenceBudget())
    said = conversation([HumanMessage(question)])
    messages = answer_messages(blocks_of(load_sources(corpus, packed.slots)), said)
    begun = time.perf_counter()
    for chunk in llm.stream(messages):
        if chunk.text:
            break
    return 1000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
