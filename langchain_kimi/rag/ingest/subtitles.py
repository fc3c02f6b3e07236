"""Subtitles: the text tracks of a video, and SRT or WebVTT files beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_SPAN = re.compile(rf"{_TIME}\s*-->\s*{_TIME}")
_MARKUP = re.compile(r"<[^>]*>|\{[^}]*\}")


@dataclass(frozen=True)
class Cue:
    """A line of speech with its time span in seconds."""

    start: float
    end: float
    text: str


def parse_cues(text: str) -> list[Cue]:
    """Parse SRT or WebVTT; what is no cue is passed over."""
    cues = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.strip().split("\n")
        for index, line in enumerate(lines):
            match = _SPAN.search(line)
            if match:
                spoken = clean(" ".join(lines[index + 1 :]))
                if spoken:
                    start, end = _seconds(match.groups()[:4]), _seconds(match.groups()[4:])
                    cues.append(Cue(start, max(start, end), spoken))
                break
    return cues


def _seconds(groups: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = groups
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return whole + int((fraction or "0").ljust(3, "0")) / 1000


def clean(text: str) -> str:
    """Return the text of a cue without markup."""
    return " ".join(_MARKUP.sub(" ", text.replace("\\N", " ")).split())


def sidecar(path: Path) -> Path | None:
    """Return the SRT or WebVTT file beside a video, if there is one."""
    for suffix in (".srt", ".vtt"):
        candidate = path.with_suffix(suffix)
        if candidate.is_file():
            return candidate
    return None
