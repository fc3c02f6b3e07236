"""Models, calls and media for the tests of delivery."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import Any

import av
from PIL import Image

from langchain_kimi import ChatKimi
from langchain_kimi.testing import KimiServer

KEY = "nvapi-very-secret"
HEADER_SECRET = "another-secret"
CALLS = ["invoke", "ainvoke", "stream", "astream"]


@dataclass
class Put:
    """What the bucket was sent."""

    path: str
    headers: dict[str, str]
    data: bytes


@dataclass
class Bucket:
    """Storage with signed addresses."""

    url: str
    puts: list[Put] = field(default_factory=list)
    status: int = 200


def model(server: KimiServer, **settings: Any) -> ChatKimi:
    given: dict[str, Any] = {"api_key": KEY, "endpoint": server.dialect, "max_retries": 0}
    return ChatKimi(base_url=server.base_url, **{**given, **settings})


async def ask(llm: Any, messages: Any, how: str) -> str:
    """Call the model in one of four ways."""
    if how == "invoke":
        return str(llm.invoke(messages).text)
    if how == "ainvoke":
        return str((await llm.ainvoke(messages)).text)
    if how == "stream":
        return "".join(chunk.text for chunk in llm.stream(messages))
    return "".join([chunk.text async for chunk in llm.astream(messages)])


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int = 32, height: int = 32, color: str = "red") -> bytes:
    return encoded(Image.new("RGB", (width, height), color))


def noisy(width: int, height: int) -> bytes:
    """A photograph, as far as its number of bytes goes."""
    return encoded(Image.effect_noise((width, height), 90).convert("RGB"), "JPEG", quality=95)


def text64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture_block(data: bytes, mime_type: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "base64": text64(data), "mime_type": mime_type}


def urls(body: dict[str, Any]) -> list[str]:
    """The addresses of all media in a request, in order."""
    return [
        part[part["type"]]["url"]
        for message in body["messages"]
        for part in (message["content"] if isinstance(message.get("content"), list) else [])
        if part["type"] != "text"
    ]


def sent_bytes(url: str) -> bytes:
    return base64.b64decode(url.partition(";base64,")[2])


def film(seconds: float = 2.0, size: tuple[int, int] = (64, 48), rate: int = 8) -> bytes:
    """A film whose pictures differ."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(int(seconds * rate)):
            shade = Image.new("RGB", size, (number * 10 % 256, 80, 120))
            container.mux(stream.encode(av.VideoFrame.from_image(shade)))
        container.mux(stream.encode())
    return buffer.getvalue()


def long_film(size: int = 1_200_000, mark: bytes = b"") -> bytes:
    """What looks like a film by its first bytes."""
    return b"\x00\x00\x00\x18ftypisom" + mark + bytes(size)


def film_block(data: bytes, **more: Any) -> dict[str, Any]:
    return {"type": "video", "base64": text64(data), "mime_type": "video/mp4", **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def paths(server: KimiServer, method: str) -> list[str]:
    """The paths that were asked for by a method, uploads and chats alike."""
    return [each.path for each in server.exchanges if each.method == method]
