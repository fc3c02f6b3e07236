"""Videos: scene changes, spans, subtitles, damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("av")

import itertools

from langchain_kimi.rag import UnreadableFileError
from langchain_kimi.rag.ingest.video import frame_at, parse_video
from tests.rag.clips import Shot, write_clip
from tests.rag.conftest import KnownOcr

CUTS = [Shot(2.0), Shot(1.6), Shot(2.4), Shot(1.2), Shot(2.0)]
FADES = [Shot(2.0), Shot(2.2, fade=8), Shot(2.4, fade=12), Shot(2.0), Shot(2.4, fade=20)]


def matched(found: list[float], true: list[float], tolerance: float) -> int:
    return sum(any(abs(time - other) <= tolerance for other in found) for time in true)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "webm"])
def test_hard_cuts_are_found_to_the_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cuts.{suffix}"
    shots = CUTS if suffix == "mp4" else CUTS[:3]
    true = write_clip(path, shots, codec="libvpx" if suffix == "webm" else "mpeg4")
    found = [part.start for part in parse_video(path).parts[1:] if part.start is not None]
    assert len(found) == len(true)
    assert matched(found, true, 0.05) == len(true)


def test_cross_fades_are_found_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "fades.mp4"
    true = write_clip(path, FADES)
    found = [part.start for part in parse_video(path).parts[1:] if part.start is not None]
    assert matched(found, true, 0.35) == len(true)
    assert len(found) == len(true)


def test_scenes_cover_the_clip_without_gaps(tmp_path: Path) -> None:
    path = tmp_path / "cuts.mp4"
    write_clip(path, CUTS)
    parts = parse_video(path).parts
    assert parts[0].start == 0.0
    assert parts[-1].end == pytest.approx(9.2, abs=0.05)
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))


def test_what_is_said_and_shown_belongs_to_its_scene(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    write_clip(path, CUTS)
    path.with_suffix(".srt").write_text("1\n00:00:02,200 --> 00:00:03,400\nThe eel passes.\n")
    parts = parse_video(path, ocr=KnownOcr("gate open")).parts
    assert [index for index, part in enumerate(parts) if "The eel passes." in part.text] == [1]
    assert all("gate open" in part.text for part in parts)


def test_a_frame_can_be_taken_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "cuts.mp4"
    write_clip(path, CUTS)
    early, late = frame_at(path, 0.5), frame_at(path, 8.5)
    assert early is not None
    assert late is not None
    assert early.size == (320, 180)
    assert early.tobytes() != late.tobytes()


def test_half_a_clip_gives_its_scenes_or_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "half.mkv"
    write_clip(path, CUTS)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    parts = parse_video(path).parts
    assert 1 <= len(parts) < len(CUTS) + 1
    path.write_bytes(b"\x1a\x45\xdf\xa3" + b"\x00" * 500)
    with pytest.raises(UnreadableFileError, match=r"half\.mkv is no readable video"):
        parse_video(path)
