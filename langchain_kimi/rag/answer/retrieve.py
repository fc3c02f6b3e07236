"""Candidates: ranked pages, what stands beside them, then the rest of the best documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from PIL import Image

from langchain_kimi.rag.answer.plan import EvidenceKind
from langchain_kimi.rag.answer.sources import entry_id, load_pages, pages_of
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import Filter, UnitKind
from langchain_kimi.rag.ingest.files import MEDIA_TYPES
from langchain_kimi.rag.retrieve.search import Found

DEPTH = 200
"""Pages that a search returns."""
MOST = 600
"""Candidates of a question."""

_FUSION = 20.0
_KIND_WEIGHT = 0.5
_KIND_DEPTH = 20
_WITH_NEIGHBOURS = 5
_BEFORE_NEIGHBOURS = 10
_WHOLE_DOCUMENTS = 3
_CROPPED = 20
_CROPS = 2
_FEW = 5
"""With fewer pages found, a corpus that is small is shown as it is: the question may be about all
of it."""
_VIDEO_TYPES = tuple(sorted({name for name in MEDIA_TYPES.values() if name.startswith("video/")}))
_KINDS: dict[EvidenceKind, UnitKind] = {"table": "table", "chart": "figure", "figure": "figure"}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate in its place: the page's id, its score and the regions that speak for it."""

    id: str
    score: float
    crops: tuple[Box, ...] = ()


def retrieve(
    corpus: Corpus,
    queries: Sequence[str],
    *,
    pictures: Sequence[Image.Image] = (),
    evidence: Iterable[EvidenceKind] = (),
    where: Filter | None = None,
) -> list[Found]:
    """Search each query, by page and by region, and fuse what is found; the best first.

    Args:
        corpus: The corpus; its namespace bounds what is found.
        queries: The question and its parts.
        pictures: Pictures of the question.
        evidence: Kinds of content that count more.
        where: Conditions that each page meets.
    """
    where = where or Filter()
    search = partial(corpus.search, rerank=False)
    lists = [(search(query, k=DEPTH, where=where), 1.0) for query in queries]
    lists += [(search(picture=picture, k=DEPTH, where=where), 1.0) for picture in pictures]
    for condition in _by_kind(evidence, where) if queries else ():
        lists.append((search(queries[0], k=_KIND_DEPTH, where=condition), _KIND_WEIGHT))
    return fuse(lists)


def _by_kind(evidence: Iterable[EvidenceKind], where: Filter) -> list[Filter]:
    kinds = dict.fromkeys(evidence)
    units = dict.fromkeys(_KINDS[kind] for kind in kinds if kind in _KINDS)
    conditions = [replace(where, kinds=(unit,)) for unit in units if not where.kinds]
    if "video" in kinds and not where.media_types:
        conditions.append(replace(where, media_types=_VIDEO_TYPES))
    return conditions


def fuse(lists: Sequence[tuple[Sequence[Found], float]]) -> list[Found]:
    """Join ranked lists by reciprocal ranks; a page keeps the regions of its best place."""
    scores: dict[str, float] = defaultdict(float)
    best: dict[str, tuple[int, Found]] = {}
    for found, weight in lists:
        for rank, page in enumerate(found):
            name = entry_id(page)
            scores[name] += weight / (_FUSION + rank)
            if name not in best or rank < best[name][0]:
                best[name] = (rank, page)
    order = sorted(scores, key=lambda name: (-scores[name], name))
    return [replace(best[name][1], score=scores[name]) for name in order]


def widen(corpus: Corpus, found: Sequence[Found], where: Filter | None = None) -> list[Ranked]:
    """Add what stands beside the best pages, and at the end the rest of the best documents.

    Where hardly anything was found in a small corpus, all of it is added.

    Args:
        corpus: Where the pages are.
        found: The best first.
        where: Conditions; with one on pages or kinds nothing is added.
    """
    ranked = [_ranked(page, rank) for rank, page in enumerate(found)]
    if where is not None and (where.pages or where.kinds or where.ids):
        return ranked[:MOST]
    known = {one.id for one in ranked}
    beside = [name for name in _neighbours(found[:_WITH_NEIGHBOURS]) if name not in known]
    near = [Ranked(entry_id(page), 0.0) for page in load_pages(corpus, beside)]
    known |= {one.id for one in near}
    ranked[_BEFORE_NEIGHBOURS:_BEFORE_NEIGHBOURS] = near
    if len(ranked) < _FEW and corpus.stats().pages <= MOST:
        units = corpus.store.units(corpus.namespace, level="page", where=where)
        others = [Ranked(unit.id, 0.0) for unit in units if unit.id not in known]
        return [*ranked, *others][:MOST]
    for document in list(dict.fromkeys(page.document.id for page in found))[:_WHOLE_DOCUMENTS]:
        rest = (entry_id(page) for page in pages_of(corpus, document))
        ranked += [Ranked(name, 0.0) for name in rest if name not in known]
    return ranked[:MOST]


def _ranked(page: Found, rank: int) -> Ranked:
    boxes = [region.box for region in page.regions if region.box is not None]
    return Ranked(entry_id(page), page.score, tuple(boxes[:_CROPS]) if rank < _CROPPED else ())


def _neighbours(found: Iterable[Found]) -> list[str]:
    names = (
        f"{page.document.id}:{page.page + step}"
        for page in found
        for step in (1, -1)
        if page.page + step > 0
    )
    return list(dict.fromkeys(names))
