"""Strings of a text that suit a parameter: paths, addresses, names, search words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from langchain_kimi.testing.standin import words as take
from langchain_kimi.testing.standin.signs import NOT_WORTH_A_SEARCH
from langchain_kimi.testing.standin.vocabulary import PURPOSES
from langchain_kimi.testing.standin.words import stem

MAX_PADDING = 10_000
GLOB = re.compile(r"[\w/*.-]*\*[\w/*.-]*")
FORMATS = {"uri": "url", "email": "e_mail", "date": "date"}


def purpose_of(name: str, schema: Mapping[str, Any]) -> str:
    """Tell what a string parameter is for, by its name, then its format; ``any`` if unknown."""
    about = {word.lower() for word in take.words(name)} | {name.lower()}
    for purpose, signs in PURPOSES:
        if about.intersection(signs):
            return purpose
    return FORMATS.get(str(schema.get("format")), "any")


def find_strings(purpose: str, text: str) -> list[str]:
    """List the strings of a text that serve a purpose, best first."""
    return FINDERS[purpose](text)


def search_words(text: str, purpose: str) -> str:
    """Join a text's words for a search engine, or the three longest as an expression."""
    telling = [w for w in take.keywords(text) if stem(w) not in NOT_WORTH_A_SEARCH]
    if purpose == "query":
        return " ".join(telling[:6])
    longest = sorted(telling, key=len, reverse=True)[:3]
    return "|".join(_singular(word) for word in telling if word in longest)


def fits(text: str, schema: Mapping[str, Any]) -> bool:
    """Tell whether a string is long enough for a schema and matches its pattern."""
    pattern = schema.get("pattern")
    return len(text) >= schema.get("minLength", 0) and (
        pattern is None or re.search(pattern, text) is not None
    )


def fit(text: str, schema: Mapping[str, Any]) -> str:
    """Cut or fill a string to the length that a schema asks for, within reason."""
    text = text[: schema.get("maxLength", len(text))]
    return text.ljust(min(schema.get("minLength", 0), MAX_PADDING), ".")


def _places(text: str) -> list[str]:
    return take.quoted(text) or take.places(text) or take.names(text)


def _names(text: str) -> list[str]:
    return take.quoted(text) or take.names(text)


def _expressions(text: str) -> list[str]:
    return take.expressions(text) or take.quoted(text)


def _code(text: str) -> list[str]:
    return take.quoted(text) or [f"print({found})" for found in take.expressions(text)]


def _sought(text: str) -> list[str]:
    return _quoted_words(text) + take.identifiers(text)


def _anything(text: str) -> list[str]:
    return _quoted_words(text) or take.names(text)


def _quoted_words(text: str) -> list[str]:
    return [found for found in take.quoted(text) if not take.FILE.fullmatch(found)]


def _singular(word: str) -> str:
    return word if word.endswith(("ss", "ies", "us", "is")) else word.removesuffix("s")


FINDERS: dict[str, Callable[[str], list[str]]] = {
    "file": take.files,
    "folder": take.folders,
    "url": take.addresses,
    "e_mail": take.E_MAIL.findall,
    "date": take.DATE.findall,
    "glob": GLOB.findall,
    "place": _places,
    "name": _names,
    "expression": _expressions,
    "code": _code,
    "pattern": _sought,
    "query": _sought,
    "any": _anything,
}
