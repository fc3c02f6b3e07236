"""Retrieval: recall by page, regions, scenes, ingest and query speed.

Run: python benchmarks/rag.py [--data DIR] [--work DIR] [--workers N] [--quick]

`--data` takes a folder with `documents/` and `questions.jsonl`. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from _rivals import MODEL, Page, Ranker, dense_alone, langchain_pipeline  # noqa: E402

from langchain_kimi.rag import (  # noqa: E402
    Box,
    Corpus,
    DocumentRecord,
    Filter,
    IngestOptions,
    SqliteStore,
    Unit,
    Weights,
)
from langchain_kimi.rag.ingest.parse import ParseSettings, parse_file  # noqa: E402
from langchain_kimi.rag.ingest.video import parse_video  # noqa: E402
from langchain_kimi.rag.retrieve.search import Searcher  # noqa: E402
from langchain_kimi.rag.text import tokens  # noqa: E402

TEXT = ("text", "heading")
ABLATIONS = {
    "all": {},
    "no page BM25": {"page": 0.0},
    "no chunk BM25": {"chunk": 0.0},
    "no word pairs": {"pair": 0.0},
    "no document score": {"document": 0.0},
    "no page references": {"label": 0.0, "position": 0.0},
    "no item references": {"item": 0.0, "mention": 0.0},
    "no kinds": {"kind": 0.0},
    "no vocabulary": {"expansion": 0.0},
}


def main() -> None:
    default = Path(os.environ.get("KIMI_SHARED_DATA", ROOT / "../shared/data")) / "mmlongbench-dev"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--work", type=Path, help="keep the indexes and the OCR cache here")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--quick", action="store_true", help="without speed, memory and vectors, which take minutes"
    )
    parser.add_argument("--large", action="store_true", help="500,000 chunks too, 6 minutes more")
    options = parser.parse_args()
    if not (options.data / "questions.jsonl").is_file():
        sys.exit(f"no questions.jsonl in {options.data}: pass --data DIR")
    with tempfile.TemporaryDirectory() as temporary:
        figures = run(options, options.work or Path(temporary))
    print(json.dumps(figures))


def run(options: argparse.Namespace, work: Path) -> dict[str, float | None]:
    lines = (options.data / "questions.jsonl").read_text().splitlines()
    questions = [json.loads(line) for line in lines if line.strip()]
    questions = [question for question in questions if question["evidence_pages"]]
    documents = options.data / "documents"
    figures: dict[str, float | None] = {}
    corpus = Corpus(work / "corpus")
    figures |= ingest_speed(corpus, documents, options.workers)
    plain = Corpus(work / "plain", ocr="none")
    plain.ingest(documents, options=IngestOptions(workers=options.workers))
    rivals: dict[str, Ranker] = {}
    if not options.quick:
        rivals = with_vectors(corpus, documents, work, options.workers)
    figures |= retrieval(corpus, plain, questions, rivals)
    figures |= regions(corpus, documents, questions)
    figures |= scenes(work)
    figures["query_p50_ms_50k"] = None
    if not options.quick:
        memory()
        for count in (5_000, 50_000, *((500_000,) if options.large else ())):
            p50, p95 = query_speed(corpus, questions, work, count)
            print(f"query over {count} chunks: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
            if count == 50_000:
                figures["query_p50_ms_50k"] = round(p50, 1)
    return figures


def ingest_speed(corpus: Corpus, documents: Path, workers: int) -> dict[str, float | None]:
    options = IngestOptions(workers=workers)
    first = corpus.ingest(documents, options=options)
    second = corpus.ingest(documents, options=options)
    size = sum(path.stat().st_size for path in documents.iterdir()) / 1e6
    print(f"first run:  {first.summary()}, {size / first.seconds:.2f} MB/s")
    print(f"second run: {second.summary()}")
    for failure in first.failures:
        print(f"  {failure.state}: {failure.path}: {failure.reason}")
    stored = (corpus.folder / "index.sqlite").stat().st_size / max(corpus.stats().pages, 1)
    print(f"index: {stored / 1024:.1f} KB a page")
    parsed = first.pages > 0
    return {
        "pages_per_s": round(first.pages / first.seconds, 2) if parsed else None,
        "unchanged_vs_first": round(second.seconds / first.seconds, 4) if parsed else None,
    }


def with_vectors(corpus: Corpus, documents: Path, work: Path, workers: int) -> dict[str, Ranker]:
    """Return what is compared: vectors alone over the same text, and a plain LangChain pipeline."""
    paths = {record.id: record.path for record in corpus.documents()}
    rank, seconds, pages = langchain_pipeline(documents, paths)
    print(f"LangChain pipeline: {pages} pages in {seconds:.1f} s ({pages / seconds:.1f}/s), no OCR")
    dense = dense_alone(work / "dense", documents, workers, corpus.folder / "ocr")
    return {f"vectors alone ({MODEL})": dense, f"LangChain pipeline ({MODEL})": rank}


def memory() -> None:
    """Print the peak memory of ingests of 50 and 400 files in processes of their own."""
    for count in (50, 400):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", _INGEST, str(ROOT), folder, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"peak memory of ingesting {count} files: {int(done.stdout) / 1024:.0f} MB")


_INGEST = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from langchain_kimi.rag import Corpus, IngestOptions
from tests.rag.pdf_writer import PdfFile
folder, count = Path(sys.argv[2]), int(sys.argv[3])
(folder / "files").mkdir()
for number in range(count):
    pdf = PdfFile()
    for page in range(3):
        lines = [f"Line {line} of page {page} of file {number}." for line in range(40)]
        pdf.page().paragraph(72, 72, lines)
    (folder / "files" / f"{number}.pdf").write_bytes(pdf.to_bytes())
corpus = Corpus(folder / "corpus", ocr="none")
assert corpus.ingest(folder / "files", options=IngestOptions(workers=0)).pages == 3 * count
status = Path("/proc/self/status").read_text()  # getrusage would tell the parent's peak
print(status.split("VmHWM:")[1].split()[0])
"""


def ranker(corpus: Corpus, weights: Weights) -> Ranker:
    paths = {record.id: record.path for record in corpus.documents()}
    searcher = Searcher(corpus.store, corpus.namespace, weights)

    def rank(question: str, where: Filter) -> list[Page]:
        return [
            (paths[unit.document_id], unit.page) for unit, _, _ in searcher.rank(question, where)
        ]

    return rank


def bm25(corpus: Corpus) -> Ranker:
    paths = {record.id: record.path for record in corpus.documents()}

    def rank(question: str, where: Filter) -> list[Page]:
        hits = corpus.store.search(
            corpus.namespace, level="page", text=tokens(question), where=where, k=50
        )
        return [(paths[hit.unit.document_id], hit.unit.page) for hit in hits]

    return rank


def retrieval(
    corpus: Corpus,
    plain: Corpus,
    questions: Sequence[dict[str, Any]],
    rivals: dict[str, Ranker],
) -> dict[str, float | None]:
    names = {record.path: record.id for record in corpus.documents()}
    questions = [question for question in questions if question["doc"] in names]
    rows: dict[str, Ranker] = {
        "BM25 of page text, no OCR": bm25(plain),
        "BM25 of page text with OCR": bm25(corpus),
        **rivals,
    }
    for name, changes in ABLATIONS.items():
        rows[name] = ranker(corpus, replace(Weights(), **changes))
    rows["all, no OCR"] = ranker(plain, Weights())
    results: dict[str, dict[str, dict[str, float]]] = {}
    for scope in ("document", "corpus"):
        print(f"\nwithin the {scope}: r@1 r@5 r@10 nDCG@5, then r@5 by kind of evidence")
        for name, rank in rows.items():
            measured = measure(rank, questions, names if scope == "document" else None)
            results.setdefault(name, {})[scope] = measured
            kinds = "  ".join(f"{kind[:8]} {value:.1f}" for kind, value in by_kind(measured))
            head = " ".join(f"{measured[key]:5.1f}" for key in ("r1", "r5", "r10", "ndcg5"))
            print(f"  {name:28} {head}   {kinds}")
    whole, base = results["all"], results["BM25 of page text, no OCR"]
    return {
        "recall5_doc": round(whole["document"]["r5"], 1),
        "recall5_corpus": round(whole["corpus"]["r5"], 1),
        "recall5_doc_bm25": round(base["document"]["r5"], 1),
        "recall5_corpus_bm25": round(base["corpus"]["r5"], 1),
        "ndcg5_doc": round(whole["document"]["ndcg5"], 1),
    }


def by_kind(measured: dict[str, float]) -> Iterable[tuple[str, float]]:
    return ((key[5:], value) for key, value in sorted(measured.items()) if key.startswith("kind:"))


def measure(
    rank: Ranker, questions: Sequence[dict[str, Any]], names: dict[str, str] | None
) -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for question in questions:
        where = Filter(documents=(names[question["doc"]],)) if names else Filter()
        pages = rank(question["question"], where)
        gold = {(question["doc"], page) for page in question["evidence_pages"]}
        for k in (1, 5, 10):
            values[f"r{k}"].append(100 * len(gold & set(pages[:k])) / len(gold))
        values["ndcg5"].append(100 * ndcg(pages[:5], gold))
        for kind in question["evidence_types"]:
            values[f"kind:{kind}"].append(values["r5"][-1])
    return {name: statistics.fmean(numbers) for name, numbers in values.items()}


def ndcg(pages: Sequence[Page], gold: set[Page]) -> float:
    gain = sum(1 / math.log2(place + 2) for place, page in enumerate(pages) if page in gold)
    best = sum(1 / math.log2(place + 2) for place in range(min(len(gold), 5)))
    return gain / best


def regions(
    corpus: Corpus, documents: Path, questions: Sequence[dict[str, Any]]
) -> dict[str, float | None]:
    sources = {question["doc"] for question in questions if question.get("regions")}
    settings = ParseSettings(cache=corpus.folder / "ocr")
    hits: dict[str, list[bool]] = defaultdict(list)
    held = {record.path for record in corpus.documents()}
    parsed = {name: parse_file(documents / name, settings) for name in sorted(sources & held)}
    for question in questions:
        for region in question.get("regions", []) if question["doc"] in parsed else []:
            if region["page"] > len(parsed[question["doc"]].parts):
                continue
            part = parsed[question["doc"]].parts[region["page"] - 1]
            gold = Box(*region["bbox"])
            boxes = [entry.box for entry in part.regions if entry.box] + list(part.boxes)
            good = max((gold.iou(box) for box in boxes), default=0.0) >= 0.5
            layer = any(entry.origin == "layer" for entry in part.regions if entry.kind in TEXT)
            hits["all"].append(good)
            hits["with a text layer" if layer else "scans and slides"].append(good)
    for name, found in hits.items():
        print(f"regions, {name}: {100 * statistics.fmean(found):.1f} % of {len(found)} boxes")
    layered = hits["with a text layer"]
    return {"region_iou50_pct": round(100 * statistics.fmean(layered), 1) if layered else None}


def scenes(work: Path) -> dict[str, float | None]:
    """Measure scene changes on clips that are made here."""
    from tests.rag.clips import Shot, write_clip

    work.mkdir(parents=True, exist_ok=True)
    recall: dict[str, tuple[int, int, int]] = {}
    for name, fades in (("cuts", (0,)), ("cross-fades", (8, 12, 16, 25))):
        hit = true_count = found_count = 0
        for seed in range(4):
            lengths = random.Random(seed)
            shots = [Shot(lengths.uniform(1.6, 4.0), lengths.choice(fades)) for _ in range(10)]
            path = work / "clip.mp4"
            true = write_clip(path, shots, seed=100 + seed)
            found = [part.start or 0.0 for part in parse_video(path).parts[1:]]
            hit += sum(any(abs(time - other) <= 0.4 for other in found) for time in true)
            true_count, found_count = true_count + len(true), found_count + len(found)
        recall[name] = (hit, true_count, found_count)
        print(f"{name}: recall {hit / true_count:.2f}, precision {hit / max(found_count, 1):.2f}")
    hit, true_count, _ = recall["cross-fades"]
    return {"scene_recall_fades": round(hit / true_count, 3)}


def query_speed(
    corpus: Corpus, questions: Sequence[dict[str, Any]], work: Path, count: int
) -> tuple[float, float]:
    """Time searches over an index of shuffled sentences of the corpus."""
    path = work / f"speed-{count}.sqlite"
    path.unlink(missing_ok=True)
    store = SqliteStore(path)
    chooser = random.Random(1)
    sentences = [
        sentence
        for unit in corpus.store.units(corpus.namespace, level="page")
        for sentence in unit.text.split("\n")
        if len(sentence) > 30
    ]
    for document in range(count // 500):
        name = f"d{document}"
        units = [*made_units(name, sentences, chooser)]
        known = DocumentRecord(
            id=name, path=name, sha256="", media_type="text/plain", size=0, modified_ns=0
        )
        store.upsert("default", known, units)
    searcher = Searcher(store, "default")
    times = []
    for question in questions[:100]:
        begun = time.perf_counter()
        searcher.search(question["question"], k=10)
        times.append(1000 * (time.perf_counter() - begun))
    store.close()
    times.sort()
    return statistics.median(times), times[int(0.95 * len(times))]


def made_units(name: str, sentences: Sequence[str], chooser: random.Random) -> Iterable[Unit]:
    """Yield a document of 100 pages with five chunks each."""
    words: list[str] = []
    for page in range(1, 101):
        chunks = [" ".join(chooser.choices(sentences, k=4)) for _ in range(5)]
        body = [" ".join(tokens(chunk)) for chunk in chunks]
        words += body
        shared: dict[str, Any] = {"document_id": name, "page": page}
        text = "\n".join(chunks)
        yield Unit(
            id=f"{name}:{page}", level="page", kind="page", text=text, body=" ".join(body), **shared
        )
        for number, chunk in enumerate(chunks):
            yield Unit(
                id=f"{name}:{page}:{number}",
                level="chunk",
                kind="text",
                text=chunk,
                body=body[number],
                **shared,
            )
    known = "  ".join(sorted(set(" ".join(words).split())))
    yield Unit(
        id=f"{name}:0",
        document_id=name,
        level="document",
        kind="document",
        page=0,
        text=name,
        body=known,
    )


if __name__ == "__main__":
    main()
