"""What the stand-in knows: the question, and the calls and results since it was asked."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_kimi.testing.images import picture_size
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.standin.signs import ABOUT_ALL
from langchain_kimi.testing.standin.words import FILE, files, stems

WRONG = re.compile(
    r"\W*(?:\w*(?:error|exception)\b|traceback|not found|permission denied|cannot|failed)",
    re.IGNORECASE,
)
NOTHING = re.compile(r"\W*(?:no|none|nothing|empty)\b|\s*$", re.IGNORECASE)
MAX_LINES = 3000
MAX_LINE = 1000
ASKS = re.compile(r"\?|\b(?:how|what|when|where|which|who|why)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """A call that was made, and what came back."""

    name: str
    arguments: Mapping[str, Any]
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not blank; of a huge result, the beginning."""
        lines = (line.strip()[:MAX_LINE] for line in self.text.splitlines()[:MAX_LINES])
        return [line for line in lines if line]

    @property
    def is_empty(self) -> bool:
        """Whether the result reads like nothing was found."""
        return NOTHING.match(self.text) is not None

    @property
    def failed(self) -> bool:
        """Whether the result reads like an error, or holds nothing."""
        return self.is_empty or WRONG.match(self.text) is not None

    @property
    def call(self) -> str:
        """Write the call as one would in a program."""
        inside = ", ".join(
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in self.arguments.items()
        )
        return f"{self.name}({inside})"


class Situation:
    """One request, seen from the last question of its user."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        asked = [n for n, m in enumerate(request.messages) if m.get("role") == "user"]
        self._asked = asked[-1] if asked else -1

    @cached_property
    def question(self) -> str:
        """The text of the last user message."""
        return text_of(self.request.messages[self._asked]) if self._asked >= 0 else ""

    @cached_property
    def keywords(self) -> set[str]:
        """Stems of the question's telling words, those of file names apart."""
        text = self.question
        for name in files(text):
            text = text.replace(name, " ")
        return stems(text) or stems(self.question)

    @property
    def is_question(self) -> bool:
        """Whether the user asks for something to be found out."""
        return ASKS.search(self.question) is not None and bool(self.keywords)

    @cached_property
    def results(self) -> list[Result]:
        """The calls since the question, with their results."""
        return _results(self.request.messages[self._asked + 1 :])

    @cached_property
    def earlier_results(self) -> list[Result]:
        """The calls before the question."""
        return _results(self.request.messages[: max(0, self._asked)])

    @property
    def rounds(self) -> int:
        """How many times tools were called since the question."""
        later = self.request.messages[self._asked + 1 :]
        return sum(bool(message.get("tool_calls")) for message in later)

    @cached_property
    def pictures(self) -> list[tuple[int, int] | None]:
        """Sizes of the pictures of the last user message, None where unknown."""
        content = self.request.messages[self._asked].get("content") if self._asked >= 0 else None
        return [
            picture_size(part.get("image_url"))
            for part in (content if isinstance(content, list) else ())
            if part.get("type") == "image_url"
        ]

    @cached_property
    def found_files(self) -> list[str]:
        """Files seen in the results, those nearest to the question first, read ones apart.

        Without results, the files that earlier calls named, the latest first.
        """
        if not self.results:
            values = (str(v) for r in reversed(self.earlier_results) for v in r.arguments.values())
            return [value for value in values if FILE.fullmatch(value)]
        scores: Counter[str] = Counter()
        for result in self.results:
            for line in result.lines:
                for path in files(line):
                    scores[path] += len(stems(line) & self.keywords)
                    scores[path] += len(stems(path) & self.keywords)
                    scores[path] += _is_readme(path) and bool(self.keywords & ABOUT_ALL)
        read = {str(value) for result in self.results for value in result.arguments.values()}
        relevant = [path for path, score in scores.items() if score > 0 and path not in read]
        return sorted(relevant, key=lambda path: (-scores[path], len(path), path))

    def was_called(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Tell whether this very call was made since the question."""
        return any(r.name == name and r.arguments == arguments for r in self.results)


def _is_readme(path: str) -> bool:
    return path.rpartition("/")[2].lower().startswith("readme")


def text_of(message: Mapping[str, Any]) -> str:
    """Return all text of a message."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))


def _results(messages: list[dict[str, Any]]) -> list[Result]:
    answers = {m.get("tool_call_id"): text_of(m) for m in messages if m.get("role") == "tool"}
    return [
        Result(
            str((made.get("function") or {}).get("name")),
            _arguments((made.get("function") or {}).get("arguments")),
            answers.get(made.get("id"), ""),
        )
        for message in messages
        for made in message.get("tool_calls") or ()
    ]


def _arguments(given: Any) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    try:
        parsed = json.loads(given or "{}", strict=False)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, Mapping) else {}
