"""Films become frames with their times, in bounded memory."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from langchain_kimi.content import MediaLimits, video, video_frames, visual_tokens
from langchain_kimi.content.blocks import read_media_block
from langchain_kimi.content.films import Sampling
from langchain_kimi.content.footage import Footage, opened, timestamp
from langchain_kimi.errors import KimiInvalidInputError

WAYS: list[Sampling] = ["budget", "rate", "scene", "keyframe"]


def times(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["text"] for block in blocks if block["type"] == "text"]


def colour(picture: bytes) -> tuple[int, ...]:
    mean = np.asarray(Image.open(io.BytesIO(picture))).mean(axis=(0, 1))
    return tuple(int(value) for value in mean)


@pytest.fixture
def film(make: Any, tmp_path: Path) -> Path:
    path: Path = make.clip(tmp_path / "film.mp4", seconds=10, scene=2.5)
    return path


# --- what is sent -------------------------------------------------------------------------------


def test_each_frame_stands_behind_its_time(film: Path) -> None:
    blocks = video(film, by="rate", rate=1)
    assert [block["type"] for block in blocks] == ["text", "image"] * 10
    assert times(blocks)[:2] == ["00:00:00.000", "00:00:01.000"]
    assert blocks[1]["mime_type"] == "image/jpeg"
    assert blocks[1]["extras"] == {"name": "00:00:00.000"}
    first = Image.open(io.BytesIO(base64.b64decode(blocks[1]["base64"])))
    assert first.size == (160, 90)


def test_frames_show_what_is_shown_at_their_time(film: Path) -> None:
    frames = video_frames(film, by="rate", rate=0.4)
    assert [frame.seconds for frame in frames] == [0.0, 2.5, 5.0, 7.5]
    assert len({colour(frame.picture.data) for frame in frames}) == 4
    again = video_frames(film, by="rate", rate=0.8)
    pairs = [(colour(again[at].picture.data), colour(again[at + 1].picture.data))
             for at in range(0, 8, 2)]  # fmt: skip
    assert all(np.abs(np.subtract(*pair)).max() <= 3 for pair in pairs)


def test_bytes_and_paths_give_the_same(film: Path) -> None:
    assert video(film) == video(str(film)) == video(film.read_bytes())


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mov", "mpeg4"),
        ("a.mkv", "mpeg4"),
        ("a.avi", "mpeg4"),
        ("a.webm", "libvpx-vp9"),
        ("a.mpg", "mpeg2video"),
        ("a.flv", "flv"),
        ("a.wmv", "wmv2"),
        ("a.3gp", "mpeg4"),
    ],
)
def test_every_container_is_read(make: Any, tmp_path: Path, name: str, codec: str) -> None:
    path = make.clip(tmp_path / name, seconds=2, rate=25, size=(176, 144), codec=codec)
    lying = tmp_path / "film.mp4"
    lying.write_bytes(path.read_bytes())
    for by in WAYS:
        assert len(video_frames(lying, by=by)) >= 1


def test_a_moving_gif_is_a_film(make: Any) -> None:
    pictures = [make.photo(64, 64, seed) for seed in range(4)]
    data = make.saved(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=500)
    assert len(video_frames(data)) == 4


def test_native_keeps_the_film(film: Path) -> None:
    (block,) = video(film, by="native", pinned=True)
    assert base64.b64decode(block["base64"]) == film.read_bytes()
    assert block["mime_type"] == "video/mp4"
    assert block["extras"] == {"pinned": True, "name": "film.mp4"}
    media = read_media_block(block)
    assert media is not None
    assert media.kind == "video"


def test_links_and_file_ids_are_passed_on() -> None:
    assert video(url="https://x.test/a.mp4") == [{"type": "video", "url": "https://x.test/a.mp4"}]
    assert video(file_id="f", name="a") == [
        {"type": "video", "file_id": "f", "extras": {"name": "a"}}
    ]


def test_pinned_frames(film: Path) -> None:
    blocks = video(film, by="scene", pinned=True)
    assert all(block["extras"]["pinned"] for block in blocks if block["type"] == "image")


# --- how frames are chosen ----------------------------------------------------------------------


@pytest.mark.parametrize("most", [100, 500, 1_000, 5_000])
def test_the_budget_is_never_exceeded(film: Path, most: int) -> None:
    for by in WAYS:
        if by == "rate":
            continue
        blocks = video(film, by=by, max_tokens=most)
        assert visual_tokens(blocks) + 16 * len(times(blocks)) <= most


def test_the_budget_spreads_frames_evenly(film: Path) -> None:
    assert times(video(film, max_tokens=40 * 4)) == [
        "00:00:01.200",
        "00:00:03.700",
        "00:00:06.200",
        "00:00:08.700",
    ]
    assert len(times(video(film))) == 20


def test_frames_shrink_before_they_get_fewer(make: Any, tmp_path: Path) -> None:
    large = make.clip(tmp_path / "large.mp4", seconds=4, size=(1280, 720))
    frames = video_frames(large, max_tokens=4_000)
    assert len(frames) == 8
    assert 448 <= frames[0].picture.width < 896
    few = video_frames(large, max_tokens=400)
    assert (len(few), few[0].picture.width) == (2, 448)
    assert video_frames(large, longest_edge=300)[0].picture.width == 300
    assert video_frames(large)[0].picture.width == 896


def test_a_slow_film_gives_each_frame_once(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "slides.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for seconds in (0, 4, 11, 30):
            shade = np.full((64, 64, 3), seconds * 8, np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, "rgb24")
            frame.pts = seconds * 10
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert [frame.seconds for frame in video_frames(path)] == [0.0, 4.0, 11.0]
    assert [f.seconds for f in video_frames(path, by="rate", rate=0.2)] == [0.0, 4.0, 11.0, 30.0]


def test_a_film_with_one_key_frame_is_not_decoded_over_and_over(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.gop_size = 600
        for at in range(600):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), at % 256, np.uint8), "rgb24")
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    decoded = 0
    time_of = Footage.time_of

    def counting(self: Footage, frame: av.VideoFrame) -> float:
        nonlocal decoded
        decoded += 1
        return time_of(self, frame)

    monkeypatch.setattr(Footage, "time_of", counting)
    frames = video_frames(path, max_tokens=20 * 25)
    assert len(frames) == 20
    assert decoded < 5 * 600


def test_a_span_is_taken(film: Path) -> None:
    found = times(video(film, start=4, end=6))
    assert len(found) == 4
    assert all("00:00:04.0" <= time < "00:00:06.0" for time in found)
    for by in WAYS[1:]:
        found = times(video(film, by=by, start=4, end=6))
        assert found
        assert all("00:00:03.9" <= time < "00:00:06.0" for time in found)


def test_key_frames(film: Path) -> None:
    assert [frame.seconds for frame in video_frames(film, by="keyframe")] == list(range(10))


def test_many_key_frames_are_thinned_out_evenly(make: Any, tmp_path: Path) -> None:
    path = make.clip(tmp_path / "long.mp4", seconds=64, rate=4)
    cost = visual_tokens((160, 90)) + 16
    found = [frame.seconds for frame in video_frames(path, by="keyframe", max_tokens=9 * cost)]
    assert found == [at * 8 for at in range(8)]


def test_scenes_are_found_at_hard_cuts(film: Path) -> None:
    assert [frame.seconds for frame in video_frames(film, by="scene")] == [0.0, 2.5, 5.0, 7.5]


def test_scenes_are_found_through_cross_fades(make: Any, tmp_path: Path) -> None:
    path = make.clip(tmp_path / "fades.mp4", seconds=20, rate=24, scene=2.5, fade=8)
    found = [frame.seconds for frame in video_frames(path, by="scene")]
    assert len(found) == 8
    assert all(0 <= time - at * 2.5 < 0.7 for at, time in enumerate(found))
    pictures = [colour(frame.picture.data) for frame in video_frames(path, by="scene")]
    still = [colour(frame.picture.data)
             for frame in video_frames(path, by="rate", rate=0.4, start=1.5)]  # fmt: skip
    assert all(np.abs(np.subtract(*pair)).max() < 8 for pair in zip(pictures, still, strict=True))


def test_one_still_scene_is_one_frame(make: Any, tmp_path: Path) -> None:
    path = make.clip(tmp_path / "still.mp4", seconds=5, scene=100)
    assert [frame.seconds for frame in video_frames(path, by="scene")] == [0.0]


def test_a_turned_film_is_turned_back(make: Any, tmp_path: Path, film: Path) -> None:
    turned = tmp_path / "turned.mp4"
    data = film.read_bytes()
    identity = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    quarter = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    matrices = [b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
                for matrix in (identity, quarter)]  # fmt: skip
    at = data.index(b"tkhd")
    turned.write_bytes(data[:at] + data[at:].replace(matrices[0], matrices[1], 1))
    picture = video_frames(turned)[0].picture
    assert Image.open(io.BytesIO(picture.data)).size == (90, 160)
    assert (picture.width, picture.height) == (90, 160)


def test_times_are_written_as_the_preprocessor_does() -> None:
    assert timestamp(0) == "00:00:00.000"
    assert timestamp(3_723.4567) == "01:02:03.457"
    assert timestamp(59.9996) == "00:01:00.000"


def test_what_a_film_costs(film: Path, make: Any, tmp_path: Path) -> None:
    path = make.clip(tmp_path / "a.mp4", seconds=8, rate=5, size=(640, 360))
    assert visual_tokens(path) == 4 * 309
    assert visual_tokens(path.read_bytes()) == 4 * 309


# --- what is refused ----------------------------------------------------------------------------


def test_a_rate_that_the_budget_does_not_hold_is_an_error(film: Path) -> None:
    with pytest.raises(KimiInvalidInputError, match="holds 5 of the 10 frames at rate=1"):
        video(film, by="rate", rate=1, max_tokens=5 * 40)
    with pytest.raises(KimiInvalidInputError, match="above 0"):
        video(film, by="rate", rate=0)


def test_a_budget_without_room_for_a_frame_is_an_error(film: Path) -> None:
    with pytest.raises(KimiInvalidInputError, match="does not hold one frame"):
        video(film, max_tokens=10)


@pytest.mark.parametrize(("start", "end"), [(10.0, None), (-1.0, None), (5.0, 5.0), (99.0, 100.0)])
def test_an_empty_span_is_an_error(film: Path, start: float, end: float | None) -> None:
    with pytest.raises(KimiInvalidInputError, match="give 0 <= start < end"):
        video(film, start=start, end=end)


def test_an_unknown_choice_is_an_error(film: Path) -> None:
    with pytest.raises(KimiInvalidInputError, match="by='best'"):
        video(film, by="best")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["https://x.test/a.mp4", "rtsp://x.test", "file:///etc/passwd"])
def test_urls_are_not_read(source: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"video\(url="):
        video(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no known type"),
        (b"hello, I am no film", "no known type"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "no known type"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no known type"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is image/png"),
        (b"\x00\x00\x00\x18ftypisom" + b"\xff" * 5_000, "damaged or cut off"),
        (b"\x1aE\xdf\xa3" + bytes(5_000), "damaged or cut off|no picture"),
        (b"RIFF\x10\x00\x00\x00AVI " + bytes(500), "damaged or cut off|no picture"),
        (b"\x00\x00\x01\xba" + bytes(5_000), "damaged or cut off|no picture"),
    ],
)
def test_what_is_no_film(content: bytes, message: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=message):
        video(content)


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8_000)
        sound: Any = stream
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    with pytest.raises(KimiInvalidInputError, match="has no picture"):
        video(path)


@pytest.mark.parametrize("by", ["budget", "rate", "scene", "keyframe"])
def test_a_picture_is_no_film_although_its_container_may_be_one(make: Any, by: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"0 s long.*image\(\)"):
        video(make.saved(make.photo(), "GIF"), by=by)


def test_a_film_that_grows_in_its_middle_is_refused(make: Any, tmp_path: Path) -> None:
    options = {"seconds": 2, "rate": 25, "codec": "mpeg2video"}
    small = make.clip(tmp_path / "small.mpg", size=(64, 36), **options).read_bytes()
    large = make.clip(tmp_path / "large.mpg", size=(1280, 720), **options).read_bytes()

    with opened(small + large, max_pixels=1_000_000) as footage:
        assert {frame.width for _, frame in footage.frames()} == {64, 1280}
    with (
        pytest.raises(KimiInvalidInputError, match="damaged or cut off"),
        opened(small + large, max_pixels=100_000) as footage,
    ):
        list(footage.frames())
    with pytest.raises(KimiInvalidInputError, match="damaged or cut off"):
        video(small + large, by="keyframe", limits=MediaLimits(max_pixels=100_000))


def test_frames_at_uneven_times(tmp_path: Path) -> None:
    path = tmp_path / "uneven.mp4"
    times = [0, 40, 80, 2_000, 2_040, 9_000, 9_040]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=1_000)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number, time in enumerate(times):
            grey = np.full((64, 64, 3), 30 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    shown = video_frames(path, by="rate", rate=1.0)

    assert [round(frame.seconds, 2) for frame in shown] == [0.0, 0.08, 2.0, 2.04, 9.0]


def test_a_film_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "none.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    with pytest.raises(KimiInvalidInputError, match=r"no frames|damaged"):
        video(path)


@pytest.mark.parametrize("by", ["budget", "rate", "scene", "keyframe"])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7])
def test_films_that_were_cut_off(make: Any, tmp_path: Path, by: Any, share: float) -> None:
    whole = make.clip(tmp_path / "a.mp4", seconds=20, scene=1, movflags="faststart").read_bytes()
    with pytest.raises(KimiInvalidInputError, match=r"breaks off at|cut off"):
        video(whole[: int(len(whole) * share)], by=by)
    index_last = make.clip(tmp_path / "b.mp4", seconds=5).read_bytes()
    with pytest.raises(KimiInvalidInputError, match="damaged or cut off"):
        video(index_last[: int(len(index_last) * share)], by=by)


def test_frames_too_large_to_decode_are_refused(film: Path) -> None:
    with pytest.raises(KimiInvalidInputError, match="160x90 pixels; at most 10,000"):
        video(film, limits=MediaLimits(max_pixels=10_000))


@pytest.fixture(scope="session")
def small_film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "small.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream: Any = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for at in range(15):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), at * 15, np.uint8), "rgb24")
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    by=st.sampled_from(["budget", "scene", "keyframe"]),
)
def test_damaged_films_end_in_frames_or_the_one_error(
    small_film: bytes, changes: list[tuple[int, int]], by: Any
) -> None:
    data = bytearray(small_film)
    for place, value in changes:
        data[place % len(data)] = value
    try:
        blocks = video(bytes(data), by=by, max_tokens=2_000)
    except KimiInvalidInputError:
        return
    assert blocks
    assert visual_tokens(blocks) <= 2_000


def test_without_pyav_the_error_says_what_to_install(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"langchain-kimi-nvidia\[media\]"):
        video(film)


# --- memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["budget", "scene", "keyframe"])
def test_a_long_film_is_streamed(
    make: Any, tmp_path: Path, growth: Callable[[str], float], by: str
) -> None:
    make.clip(tmp_path / "long.mp4", seconds=300, rate=4, size=(320, 180), scene=20)
    assert growth(f'video("long.mp4", by={by!r})') < 150
