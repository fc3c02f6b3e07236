"""Recall on a few labelled documents, without OCR: it must not fall."""

from __future__ import annotations

import json
from pathlib import Path

from langchain_kimi.rag import Filter, IngestOptions
from tests.rag.conftest import Make

DOCUMENTS = ("STEPBACK.pdf", "2023.acl-long.386.pdf", "DSA-278777.pdf", "watch_d.pdf")


def test_recall_of_pages(data: Path, tmp_path: Path, make_corpus: Make) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in DOCUMENTS:
        (folder / name).write_bytes((data / "documents" / name).read_bytes())
    corpus = make_corpus()
    corpus.ingest(folder, options=IngestOptions(workers=0))
    names = {record.path: record.id for record in corpus.documents()}
    recalls = []
    for line in (data / "questions.jsonl").read_text().splitlines():
        question = json.loads(line)
        gold = set(question["evidence_pages"])
        if question["doc"] in names and gold:
            where = Filter(documents=(names[question["doc"]],))
            pages = {found.page for found in corpus.search(question["question"], k=5, where=where)}
            recalls.append(len(gold & pages) / len(gold))
    assert len(recalls) == 21
    assert sum(recalls) / len(recalls) >= 0.8
