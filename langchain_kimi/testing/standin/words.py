"""Taking a text apart: keywords, quotations, names, numbers, paths, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from langchain_kimi.testing.standin.vocabulary import EXTENSIONS, NO_NAMES, STOP_WORDS

NOT_A_NAME = frozenset(STOP_WORDS + NO_NAMES)
QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|`([^`\n]+)`|(?<!\w)'([^'\n]+)'(?!\w)|«([^»\n]+)»")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+(?:\.\d+)*|[^\W\dA-Za-z_]+")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
ADDRESS = re.compile(r"https?://[^\s\"'`<>)\]]+")
E_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
FILE = re.compile(
    r"(?<![\w/.-])(?:[\w.~-]*/)*[\w.-]*\w\.(?:" + "|".join(EXTENSIONS) + r")(?![\w/-])"
    r"|(?<![\w/.-])(?:[\w.~-]+/)*(?:Makefile|Dockerfile|LICENSE|README|CHANGELOG)(?![\w./-])"
)
FOLDER = re.compile(
    r"(?<![\w/.-])((?:[\w.-]+/)+[\w-]*|\./?)(?![\w.-])"
    r"|\b(?:folder|directory|dir)\s+[`\"']?([\w./-]+\w)"
    r"|(?:the\s+)?[`\"']?([\w./-]+)[`\"']?\s+(?:folder|directory)\b"
)
PATH = re.compile(r"\S*/\S*")
EXPRESSION = re.compile(r"[-(]*\d[\d.\s()]*(?:[-+*/^%]+[\s(-]*\d[\d.\s()]*)+")
IDENTIFIER = re.compile(r"\b(?:[A-Za-z]\w*_\w+|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+|[a-z]+[A-Z]\w+)\b")
NAME = re.compile(r"\b[A-Z][\w'\u2019-]*(?:\s+[A-Z][\w'\u2019-]*)*(?:,\s*[A-Z]{2}\b)?")
PLACE = re.compile(
    r"\b(?:in|at|for|near|of|from|to)\s+([A-Z][\w'\u2019-]*(?:\s+[A-Z][\w'\u2019-]*)*(?:,\s*[A-Z]{2}\b)?)"
)
JOINED = re.compile(r"\s*(?:,|and|or|,\s*and)\s+([A-Z][\w'\u2019-]*(?:\s+[A-Z][\w'\u2019-]*)*)")


def stem(word: str) -> str:
    """Cut a word to a crude stem, so that ``versions`` meets ``version``."""
    word = word.lower()
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    return word.removesuffix("e") if len(word) > 3 else word


def words(text: str) -> list[str]:
    """Split a text into words; ``readFile`` and ``read_file`` are two words each."""
    return WORD.findall(text)


def stem_set(listed: Iterable[str]) -> frozenset[str]:
    """Return the stems of a list of words."""
    return frozenset(stem(word) for word in listed)


def all_stems(text: str) -> set[str]:
    """Return the stems of all words of a text."""
    return {stem(word) for word in words(text)}


def stems(text: str) -> set[str]:
    """Return the stems of a text's words, without stop words and single letters."""
    return {stem(w) for w in words(text) if w.lower() not in STOP_WORDS and len(w) > 1}


def keywords(text: str) -> list[str]:
    """Return a text's telling words in order, each once."""
    telling = (w for w in words(text) if w.lower() not in STOP_WORDS and len(w) > 2)
    return list({stem(word): word for word in telling}.values())


def quoted(text: str) -> list[str]:
    """Return what is in quotation marks or backticks."""
    return [next(filter(None, found)) for found in QUOTED.findall(text)]


def numbers(text: str) -> list[float | int]:
    """Return the numbers; those without a point are integers."""
    return [float(found) if "." in found else int(found) for found in NUMBER.findall(text)]


def addresses(text: str) -> list[str]:
    """Return the http and https URLs."""
    return [found.rstrip(".,;:!?") for found in ADDRESS.findall(text)]


def files(text: str) -> list[str]:
    """Return what looks like the name or path of a file."""
    return _once(FILE.findall(ADDRESS.sub(" ", text)))


def folders(text: str) -> list[str]:
    """Return what looks like a folder."""
    found = FOLDER.findall(ADDRESS.sub(" ", FILE.sub(" ", text)))
    named = (next(filter(None, groups)) for groups in found)
    return _once(name for name in named if name.lower() not in STOP_WORDS)


def identifiers(text: str) -> list[str]:
    """Return names as programs have them: ``snake_case`` and ``CamelCase``."""
    return _once(IDENTIFIER.findall(PATH.sub(" ", FILE.sub(" ", text))))


def names(text: str) -> list[str]:
    """Return proper names: capitalised words that do not just begin a sentence."""
    found = []
    for match in NAME.finditer(text):
        parts = match[0].split()
        while parts and parts[0].lower().rstrip(",'s") in NOT_A_NAME:
            parts.pop(0)
        if parts:
            found.append(" ".join(parts))
    return _once(found)


def places(text: str) -> list[str]:
    """Return names that follow a preposition, and those joined to them by ``and``."""
    found = []
    for match in PLACE.finditer(text):
        found.append(match[1])
        rest = text[match.end() :]
        while more := JOINED.match(rest):
            found.append(more[1])
            rest = rest[more.end() :]
    return _once(found)


def expressions(text: str) -> list[str]:
    """Return arithmetic expressions."""
    return [found.strip() for found in EXPRESSION.findall(DATE.sub(" ", text))]


def _once(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))
