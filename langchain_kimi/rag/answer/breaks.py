"""Quotes that run on over a page break, or from one scene into the next."""

from __future__ import annotations

from langchain_kimi.rag.answer.quotes import find_run, is_telling, tokens_of

_MARGIN = 40
"""Words that may stand between the two parts on each page: its foot, the head of the next."""
_LONGEST = 200


def over_break(quote: str, before: str, after: str) -> tuple[str, str] | None:
    """Split a quote into what ends a page and what begins the next; None when it does not so.

    Args:
        quote: As the model gave it.
        before: The text of the page that it names.
        after: The text of the page behind that one.
    """
    words = tokens_of(quote)
    if len(words) > _LONGEST:
        return None
    said = [word.text for word in words]
    reach = len(words) + _MARGIN
    foot = [word.text for word in tokens_of(before)[-reach:]]
    top = [word.text for word in tokens_of(after)[:reach]]
    for at in range(len(words) - 1, 0, -1):
        head, tail = said[:at], said[at:]
        if not (is_telling(head) and is_telling(tail)):
            continue
        if find_run(head, foot, 0) >= 0 and find_run(tail, top, 0) >= 0:
            return quote[: words[at].start].strip(), quote[words[at].start :].strip()
    return None
