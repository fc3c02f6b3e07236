"""References as readers write them: `page 17`, `slide 3`, `Figure 2`, `the cover`."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERS = {
    word: number
    for number, word in enumerate(
        [
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        start=1,
    )
}
_ORDINALS = {
    word: number
    for number, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
        ],
        start=1,
    )
}
PAGE = re.compile(
    r"\b(?:pages?|slides?|pp?\.|pg\.?)\s*(?:number|no\.?)?\s*"
    r"(\d{1,5}(?:\s*(?:-|–|to|and|,)\s*\d{1,5})*|" + "|".join(_NUMBERS) + r")\b",
    re.IGNORECASE,
)
_NTH_PAGE = re.compile(
    r"\b(" + "|".join(_ORDINALS) + r"|last|title|front|cover)\s+(?:page|slide)\b", re.IGNORECASE
)
_COVER = re.compile(r"\b(?:on|of) the (?:front )?cover\b", re.IGNORECASE)
_BEFORE_LAST = re.compile(
    r"\bsecond[ -]to[ -]last|\bsecond[ -]last|\blast but one|penultimate", re.IGNORECASE
)
_ITEM = re.compile(
    r"\b(figure|fig|table|tab|chart|exhibit|appendix|section|chapter|graph|diagram|algorithm)"
    r"(?:s?\b|(?=\d))\.?\s*([A-Z]?\d+(?:[.\-]\d+)*|[IVXLC]+|[A-Z])\b(?!['’])",
    re.IGNORECASE,
)
_KINDS = {"fig": "figure", "tab": "table"}
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def item_refs(text: str, *, leading: bool = False) -> list[str]:
    """Return reference tokens such as `item:figure:2`.

    Args:
        text: A question, or a caption or heading.
        leading: Only the reference that the text begins with.
    """
    matches = [_ITEM.match(text.lstrip("•*# "))] if leading else list(_ITEM.finditer(text))
    found = []
    for match in matches:
        if match is None or (match.group(2).islower() and match.group(2).isalpha()):
            continue
        kind = match.group(1).lower()
        found.append(f"item:{_KINDS.get(kind, kind)}:{_number(match.group(2))}")
    return list(dict.fromkeys(found))


def _number(text: str) -> str:
    upper = text.upper()
    if len(upper) > 1 and all(letter in _ROMAN for letter in upper):
        values = [_ROMAN[letter] for letter in upper]
        following = [*values[1:], 0]
        signed = [-v if v < after else v for v, after in zip(values, following, strict=True)]
        return str(sum(signed))
    return "1" if upper == "I" else upper.rstrip(".").lower()


def page_refs(question: str) -> list[str]:
    """Return tokens for the pages a question names: by printed number and by position."""
    found: list[str] = []
    for match in PAGE.finditer(question):
        for number in _page_numbers(match.group(1)):
            found += [f"label:{number}", f"page:{number}"]
    for match in _NTH_PAGE.finditer(question):
        word = match.group(1).lower()
        if word == "last":
            found.append("page:last")
        else:
            found.append(f"page:{_ORDINALS.get(word, 1)}")
    if _COVER.search(question):
        found.append("page:1")
    if _BEFORE_LAST.search(question):
        found.append("page:last2")
    return list(dict.fromkeys(found))


def _page_numbers(text: str) -> Sequence[int]:
    word = text.lower()
    if word in _NUMBERS:
        return [_NUMBERS[word]]
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if re.search(r"\d\s*(?:-|–|to)\s*\d", text) and len(numbers) == 2:
        first, last = numbers
        if first < last <= first + 20:
            return range(first, last + 1)
    return numbers


def without_pages(question: str) -> str:
    """Return the question without its page references, whose words describe no content."""
    return _NTH_PAGE.sub(" ", PAGE.sub(" ", question))
