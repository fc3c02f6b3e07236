"""What researchers found, kept on disk as it comes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from langchain_kimi.rag.answer import Answer


class Findings:
    """Answers to sub-questions, a file each, so that a run that is resumed keeps them.

    Args:
        folder: Where they are; made when the first one is kept.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def keep(self, answer: Answer) -> None:
        """Write an answer; readers see it whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self._place(answer.question)
        draft = place.with_suffix(".part")
        draft.write_text(answer.model_dump_json(), "utf-8")
        draft.replace(place)

    def known(self, question: str) -> Answer | None:
        """Return the answer to a question that was asked before."""
        place = self._place(question)
        if not place.is_file():
            return None
        return Answer.model_validate_json(place.read_text("utf-8"))

    def all(self) -> list[Answer]:
        """Return all answers in the order in which they came."""
        places = sorted(self.folder.glob("*.json"), key=lambda one: (one.stat().st_mtime_ns, one))
        return [Answer.model_validate_json(place.read_text("utf-8")) for place in places]

    def forget(self) -> None:
        """Delete all answers."""
        for place in self.folder.glob("*.json"):
            place.unlink()

    def _place(self, question: str) -> Path:
        digest = hashlib.blake2b(question.encode(), digest_size=12).hexdigest()
        return self.folder / f"{digest}.json"
