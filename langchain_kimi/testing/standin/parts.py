"""Taking a task apart: the items of a list, several files, several questions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_kimi.testing.standin.words import addresses, files, folders, keywords, names, quoted

ITEM = "{{item}}"
MOST = 128
BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+(\S.*)$", re.MULTILINE)
QUESTION = re.compile(r"[^.?!\n][^?!\n]*?\?")
LISTED = re.compile(r"(?::|\beach of(?: the(?:se)?)?)\s+([^:?!\n]+?)(?=[.?!:]?\s*$|[.?!:]\s)")
EACH_FILE = re.compile(
    r"\b(?:each|every|all)\s+(?:of\s+)?(?:the\s+)?(?:[\w.]+\s+)?files?\b"
    r"(?:\s+(?:in|of|under|below)\s+(?:the\s+)?(?:folder\s+)?(?P<folder>[\w./-]*[\w/-]))?",
    re.IGNORECASE,
)
BETWEEN = re.compile(
    r"""[\s,;"“”'`«»]*(?:\b(?:and|or)\b|&)?[\s"“”'`«»]*(?:the\s+)?(?:files?\s+)?[\s"“”'`«»]*"""
)
QUOTES = "\"“”'`«»"


@dataclass(frozen=True)
class Parts:
    """The parts of a task, and what to ask about each."""

    template: str
    items: list[str]


def parts_of(task: str) -> Parts | None:
    """Take a task apart; None when it has only one part."""
    bullets = [found.strip() for found in BULLET.findall(task)]
    if len(bullets) > 1:
        lead = BULLET.sub("", task).strip()
        return Parts(f"{lead}\n\n{ITEM}" if lead else ITEM, _distinct(bullets))
    asked = [found.strip() for found in QUESTION.findall(task)]
    if len(asked) > 1 and all(len(keywords(one)) > 1 for one in asked):
        return Parts(ITEM, _distinct(asked))
    for find in (files, addresses, folders, quoted, _listed):
        items = _distinct(find(task))
        if len(items) > 1:
            whole = _joined(task, items) or _one_by_one(task, items)
            return Parts(f"Read {ITEM}. {whole}" if find is files else whole, items)
    items = _distinct(names(task))
    template = _joined(task, items) if len(items) > 1 else None
    return Parts(template, items) if template else None


def listing_of(task: str) -> str | None:
    """Return what to ask first for a task about each file of a folder; None for others."""
    found = EACH_FILE.search(task)
    return f"List the files in {(found['folder'] or '.').rstrip('/')}/" if found else None


def parts_by_listing(task: str, listing: str) -> Parts:
    """Take a task about each file apart, once the files are known."""
    found = EACH_FILE.search(task)
    folder = (found["folder"] or "") if found else ""
    items = [path for path in files(listing) if path.startswith(folder.removeprefix("./"))]
    return Parts(f"Read {ITEM}. {EACH_FILE.sub(ITEM, task, count=1)}", _distinct(items))


def _listed(task: str) -> list[str]:
    """Find the items behind a colon or behind "each of"."""
    found = LISTED.search(task)
    items = re.split(r",\s*(?:and\s+|or\s+)?|;\s*|\s+(?:and|or)\s+", found[1]) if found else []
    items = [item.strip() for item in items]
    return items if all(0 < len(item) <= 80 for item in items) else []


def _joined(task: str, items: list[str]) -> str | None:
    """Put `{{item}}` in place of a list that stands together; None when it does not."""
    start = task.find(items[0])
    end = start + len(items[0])
    for item in items[1:]:
        place = task.find(item, end)
        if place < 0 or not BETWEEN.fullmatch(task[end:place]):
            return None
        end = place + len(item)
    if start and task[start - 1] in QUOTES and task[end : end + 1] in QUOTES:
        start, end = start - 1, end + 1
    return f"{task[:start]}{ITEM}{task[end:]}"


def _one_by_one(task: str, items: list[str]) -> str:
    """Ask the whole of each item; what the items were called is left out."""
    for item in sorted(items, key=len, reverse=True):
        task = task.replace(item, "it")
    return f"For {ITEM} alone: {task}"


def _distinct(items: list[str]) -> list[str]:
    return list(dict.fromkeys(items))[:MOST]
