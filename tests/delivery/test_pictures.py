"""Pictures of every dialect reach every endpoint upright, within its limits, prepared once."""

from __future__ import annotations

import base64
import copy
import io
import sys
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from PIL import Image

from langchain_kimi.content import image
from langchain_kimi.delivery import payload, pictures
from langchain_kimi.delivery.conversation import deliver
from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiInvalidInputError

from .helpers import (
    CALLS,
    ask,
    encoded,
    model,
    noisy,
    picture_block,
    png,
    sent_bytes,
    text,
    text64,
    urls,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi.testing import KimiServer

NAMES = sorted(ENDPOINTS)
WIDE = png(6_000, 300)


def opened(url: str) -> Image.Image:
    return Image.open(io.BytesIO(sent_bytes(url)))


def delivered(content: list[Any], endpoint: str = "vllm") -> list[Any]:
    (message,) = deliver([HumanMessage(content)], ENDPOINTS[endpoint])
    assert isinstance(message.content, list)
    return message.content


def turned() -> bytes:
    """A wide picture whose EXIF data say that it is to be shown high."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.new("RGB", (60, 30), "red"), "JPEG", exif=exif)


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("endpoint", NAMES)
async def test_a_wide_picture_is_scaled_and_a_small_one_goes_as_it_is(
    serve: Callable[..., KimiServer], endpoint: str, how: str
) -> None:
    server = serve(endpoint)
    small = png()
    content = [picture_block(WIDE), picture_block(small), text("What?")]
    assert await ask(model(server), [HumanMessage(content)], how)
    (body,) = server.requests
    wide, same = urls(body)
    assert max(opened(wide).size) <= 4_096
    assert sent_bytes(same) == small


DIALECTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "v1": lambda data: {"type": "image", "base64": data, "mime_type": "image/png"},
    "v0": lambda data: {"type": "image", "source_type": "base64", "data": data},
    "openai": lambda data: {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{data}"},
    },
    "anthropic": lambda data: {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": data},
    },
    "agent-chat-ui": lambda data: {"type": "image", "mimeType": "image/png", "data": data},
    "a file": lambda data: {"type": "file", "mimeType": "image/png", "data": data},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_blocks_of_every_dialect_are_prepared(dialect: str) -> None:
    (block,) = delivered([DIALECTS[dialect](text64(WIDE))])
    assert Image.open(io.BytesIO(base64.b64decode(block["base64"]))).width <= 4_096


@pytest.mark.parametrize("dialect", DIALECTS)
def test_blocks_that_are_fine_stay_the_callers_own(dialect: str) -> None:
    messages = [HumanMessage([DIALECTS[dialect](text64(png()))])]
    assert deliver(messages, ENDPOINTS["vllm"]) is messages
    assert deliver(messages, ENDPOINTS["vllm"]) is messages


def test_a_pillow_image_made_to_a_block_passes() -> None:
    messages = [HumanMessage([image(Image.new("RGB", (40, 40), "red"))])]
    assert deliver(messages, ENDPOINTS["nvidia"]) is messages


def test_exif_turns_are_carried_out() -> None:
    (block,) = delivered([picture_block(turned(), "image/jpeg")])
    assert Image.open(io.BytesIO(base64.b64decode(block["base64"]))).size == (30, 60)


@pytest.mark.parametrize("kind", ["TIFF", "BMP"])
@pytest.mark.parametrize("endpoint", NAMES)
def test_other_formats_become_png_or_jpeg(endpoint: str, kind: str) -> None:
    data = encoded(Image.new("RGB", (40, 40), "red"), kind)
    (block,) = delivered([picture_block(data, "image/png")], endpoint)
    assert block["mime_type"] == "image/png"
    assert base64.b64decode(block["base64"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(("endpoint", "kind"), [("vllm", "image/webp"), ("nvidia", "image/png")])
def test_webp_goes_where_it_is_documented(endpoint: str, kind: str) -> None:
    data = encoded(Image.new("RGB", (40, 40), "red"), "WEBP")
    (block,) = delivered([picture_block(data, "image/webp")], endpoint)
    assert block["mime_type"] == kind


async def test_a_wrong_type_is_corrected_on_the_wire(serve: Callable[..., KimiServer]) -> None:
    server = serve("vllm")
    data = encoded(Image.new("RGB", (40, 40), "red"), "JPEG")
    await ask(model(server), [HumanMessage([picture_block(data, "image/png")])], "invoke")
    assert urls(server.requests[0])[0].startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("endpoint", NAMES)
async def test_pictures_of_tools_and_of_the_system_are_prepared_too(
    serve: Callable[..., KimiServer], endpoint: str
) -> None:
    server = serve(endpoint)
    call: Any = {"name": "look", "args": {}, "id": "a", "type": "tool_call"}
    messages = [
        SystemMessage([text("Our logo:"), picture_block(png(5_000, 100))]),
        HumanMessage("Look."),
        AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": "Hm."}),
        ToolMessage([text("Seen:"), picture_block(png(100, 5_000))], tool_call_id="a"),
    ]
    await ask(model(server), messages, "invoke")
    assert [max(opened(url).size) <= 4_096 for url in urls(server.requests[0])] == [True, True]


def test_a_picture_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[int] = []

    def counting(data: bytes, *args: Any, **kwargs: Any) -> Any:
        prepared.append(len(data))
        return real(data, *args, **kwargs)

    real = pictures.prepare
    monkeypatch.setattr(pictures, "prepare", counting)
    content = [picture_block(WIDE), picture_block(png())]
    first = delivered(content)
    second = delivered(copy.deepcopy(content))
    assert first == second
    assert sorted(prepared) == sorted([len(WIDE), len(png())])


def test_the_callers_messages_are_left_alone() -> None:
    messages = [
        HumanMessage([text("What?"), picture_block(WIDE)], id="1", additional_kwargs={"a": 1})
    ]
    before = copy.deepcopy(messages)
    (sent,) = deliver(messages, ENDPOINTS["vllm"])
    assert messages == before
    assert sent is not messages[0]
    assert (sent.id, sent.additional_kwargs) == ("1", {"a": 1})


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "cut off": (picture_block(WIDE[: len(WIDE) // 2]), "damaged or cut off"),
    "a PDF": (picture_block(b"%PDF-1.7 " + bytes(99)), "application/pdf"),
    "nothing known": (picture_block(b"hello, this is no picture"), "of no known type"),
    "a film": (picture_block(b"\x00\x00\x00\x18ftypisom" + bytes(99)), "video/mp4"),
    "no base64": ({"type": "image", "base64": "A", "mime_type": "image/png"}, "base64 text"),
    "a bomb": (picture_block(png(20_000, 1)[:16] + b"\x00\x00\x4e\x20" * 2), "20000x20000"),
}


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_picture_is_an_error_that_names_its_place(
    serve: Callable[..., KimiServer], name: str, how: str
) -> None:
    block, reason = BROKEN[name]
    server = serve("vllm")
    messages = [HumanMessage("Hi"), AIMessage("Hi"), HumanMessage([text("See:"), block])]
    with pytest.raises(KimiInvalidInputError, match=rf"^messages\[2\]\.content\[1\]: .*{reason}"):
        await ask(model(server), messages, how)
    assert server.requests == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;asset_id,9f-1"}},
        {"type": "image_url", "image_url": "ms://abc"},
        {"type": "image", "file_id": "abc"},
    ],
)
def test_pictures_that_are_only_named_are_left_alone(block: dict[str, Any]) -> None:
    messages = [HumanMessage([block])]
    assert deliver(messages, ENDPOINTS["vllm"]) is messages


def test_without_pillow_pictures_within_the_limits_go_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    messages = [HumanMessage([picture_block(png())])]
    assert deliver(messages, ENDPOINTS["nvidia"]) is messages
    with pytest.raises(ImportError, match=r"^messages\[0\]\.content\[1\]: .*\[media\]"):
        delivered([picture_block(png()), picture_block(WIDE)])


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_message_carries_no_more_bytes_than_a_file_may(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(payload, "MOST_BYTES", 1_000)
    block = {"type": kind, "base64": text64(noisy(300, 300)), "mime_type": f"{kind}/png"}
    message = HumanMessage([text("What?"), block])
    with pytest.raises(KimiInvalidInputError, match=r"messages\[0\]\.content\[1\].*1,000"):
        deliver([message], ENDPOINTS["vllm"])
