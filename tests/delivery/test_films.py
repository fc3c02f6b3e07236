"""Films: whole on Moonshot, uploaded once where they are long, and as frames elsewhere."""

from __future__ import annotations

import asyncio
import copy
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_kimi.delivery import films
from langchain_kimi.delivery.conversation import deliver
from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiBadRequestError, KimiInvalidInputError, KimiServerError
from langchain_kimi.testing import say
from langchain_kimi.testing.files import FileRoutes
from langchain_kimi.testing.refusal import Refusal

from .helpers import (
    CALLS,
    ask,
    film,
    film_block,
    long_film,
    model,
    paths,
    png,
    sent_bytes,
    text,
    text64,
    urls,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi.testing import KimiServer

LABEL = re.compile(r"Image \d+, 00:00:0\d\.\d{3}:")


def asked(block: dict[str, Any]) -> list[Any]:
    return [HumanMessage([block, text("What happens?")])]


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("endpoint", ["nvidia", "vllm", "sglang"])
async def test_frames_with_their_times_stand_in_for_a_film(
    serve: Callable[..., KimiServer], endpoint: str, how: str
) -> None:
    server = serve(endpoint)
    block = film_block(film(), extras={"name": "cat.mp4"})
    assert await ask(model(server), asked(block), how)
    (body,) = server.requests
    lead, *parts, question = body["messages"][0]["content"]
    assert lead["text"] == "[film cat.mp4, as 4 frames, each behind its time]"
    assert question == text("What happens?")
    times, pictures = parts[::2], parts[1::2]
    assert len(times) == len(pictures) == 4
    assert all(LABEL.fullmatch(time["text"]) for time in times)
    assert all(sent_bytes(part["image_url"]["url"])[:2] == b"\xff\xd8" for part in pictures)


def test_a_film_is_sampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sampled: list[int] = []

    def counting(data: bytes, **kwargs: Any) -> Any:
        sampled.append(len(data))
        return real(data, **kwargs)

    real = films.video
    monkeypatch.setattr(films, "video", counting)
    messages = asked(film_block(film()))
    before = copy.deepcopy(messages)
    first = deliver(messages, ENDPOINTS["vllm"])
    assert deliver(copy.deepcopy(messages), ENDPOINTS["vllm"]) == first
    assert len(sampled) == 1
    assert messages == before


def test_sampled_films_are_kept_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films.FRAMES, "limit", 20_000)
    for seconds in (1, 2, 3, 4, 5):
        deliver(asked(film_block(film(seconds))), ENDPOINTS["vllm"])
    assert 0 < films.FRAMES.weight <= 20_000
    assert len(films.FRAMES) < 5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (film()[:300], "damaged or cut off"),
        (png(), "is image/png; a film is"),
        (b"hello, this is no film at all", "of no known type"),
    ],
)
async def test_what_is_no_film_is_an_error_that_names_its_place(
    serve: Callable[..., KimiServer], data: bytes, reason: str
) -> None:
    server = serve("vllm")
    for how in CALLS:
        with pytest.raises(
            KimiInvalidInputError, match=rf"^messages\[0\]\.content\[0\]: .*{reason}"
        ):
            await ask(model(server), asked(film_block(data)), how)
    assert server.requests == []


async def test_without_pyav_the_error_says_what_to_install(
    serve: Callable[..., KimiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    server = serve("vllm")
    for how in CALLS:
        with pytest.raises(ImportError, match=r"^messages\[0\]\.content\[0\]: av .*\[media\]"):
            await ask(model(server), asked(film_block(film())), how)


@pytest.mark.parametrize("endpoint", ["nvidia", "vllm", "sglang", "moonshot"])
@pytest.mark.parametrize(
    "block",
    [
        {"type": "video", "url": "https://example.com/a.mp4"},
        {"type": "video_url", "video_url": {"url": "http://example.com/a.mp4"}},
    ],
)
async def test_a_film_behind_a_link_is_an_error(
    serve: Callable[..., KimiServer], endpoint: str, block: dict[str, Any]
) -> None:
    server = serve(endpoint)
    with pytest.raises(
        KimiInvalidInputError, match=r"messages\[0\]\.content\[0\].*by URL.*local copy"
    ):
        await ask(model(server), asked(block), "invoke")


@pytest.mark.parametrize("endpoint", ["nvidia", "vllm", "sglang"])
async def test_a_film_by_id_is_an_error_where_films_are_not_taken(
    serve: Callable[..., KimiServer], endpoint: str
) -> None:
    with pytest.raises(KimiInvalidInputError, match="by file id"):
        await ask(model(serve(endpoint)), asked({"type": "video", "file_id": "abc"}), "invoke")


# --- Moonshot ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", CALLS)
async def test_moonshot_gets_a_long_film_once(serve: Callable[..., KimiServer], how: str) -> None:
    server = serve("moonshot")
    llm = model(server)
    block = film_block(long_film(), extras={"name": "cat.mp4"})
    for _ in range(3):
        assert await ask(llm, asked(copy.deepcopy(block)), how)
    assert paths(server, "POST").count("/v1/files") == 1
    named = {urls(body)[0] for body in server.requests}
    assert len(server.requests) == 3
    assert len(named) == 1
    assert named.pop().startswith("ms://")


async def test_one_content_in_many_shapes_goes_up_once(serve: Callable[..., KimiServer]) -> None:
    server = serve("moonshot")
    data = text64(long_film())
    shapes = [
        {"type": "video", "base64": data, "mime_type": "video/mp4"},
        {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}},
        {"type": "media", "mime_type": "video/mp4", "data": data},
    ]
    await ask(model(server), [HumanMessage([*shapes, text("Same?")])], "ainvoke")
    assert paths(server, "POST").count("/v1/files") == 1
    assert len(set(urls(server.requests[0]))) == 1


@pytest.mark.parametrize("how", CALLS)
async def test_moonshot_gets_a_short_film_inline(
    serve: Callable[..., KimiServer], how: str
) -> None:
    server = serve("moonshot")
    data = film()
    await ask(model(server), asked(film_block(data)), how)
    assert paths(server, "POST") == ["/v1/chat/completions"]
    (url,) = urls(server.requests[0])
    assert url.startswith("data:video/mp4;base64,")
    assert sent_bytes(url) == data


async def test_other_models_upload_for_themselves(serve: Callable[..., KimiServer]) -> None:
    server = serve("moonshot")
    for _ in range(2):
        await ask(model(server), asked(film_block(long_film())), "invoke")
    assert paths(server, "POST").count("/v1/files") == 2


async def test_many_calls_at_once_upload_once(serve: Callable[..., KimiServer]) -> None:
    server = serve("moonshot")
    llm = model(server)
    block = film_block(long_film())
    await asyncio.gather(*(ask(llm, asked(block), "ainvoke") for _ in range(6)))
    assert paths(server, "POST").count("/v1/files") == 1


def test_many_threads_at_once_upload_once(serve: Callable[..., KimiServer]) -> None:
    server = serve("moonshot")
    llm = model(server)
    block = film_block(long_film())
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(llm.invoke, [asked(block)] * 6))
    assert len(answers) == 6
    assert paths(server, "POST").count("/v1/files") == 1


@pytest.mark.parametrize("how", CALLS)
async def test_a_refused_upload_is_the_servers_error_and_is_tried_again(
    serve: Callable[..., KimiServer], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async def refuse(*_: Any) -> Any:
        raise Refusal(400, "invalid file: broken")

    server = serve("moonshot")
    llm = model(server)
    with monkeypatch.context() as patch:
        patch.setattr(FileRoutes, "upload", refuse)
        # the routes are bound when a server starts
        refusing = serve("moonshot")
        with pytest.raises(KimiBadRequestError, match="invalid file"):
            await ask(model(refusing), asked(film_block(long_film())), how)
        assert refusing.requests == []
    server.script(say("Seen."))
    assert await ask(llm, asked(film_block(long_film())), how) == "Seen."


async def test_an_upload_without_an_id_is_an_error(
    serve: Callable[..., KimiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiohttp import web

    async def forget(*_: Any) -> Any:
        return web.json_response({"object": "file"})

    monkeypatch.setattr(FileRoutes, "upload", forget)
    with pytest.raises(KimiServerError, match="without a file id"):
        await ask(model(serve("moonshot")), asked(film_block(long_film())), "invoke")


async def test_a_film_that_is_too_large_for_a_file_is_an_error(
    serve: Callable[..., KimiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "MOST_BYTES", 1_100_000)
    server = serve("moonshot")
    with pytest.raises(KimiInvalidInputError, match=r"content\[0\]: .*at most 1,100,000"):
        await ask(model(server), asked(film_block(long_film())), "invoke")
    assert server.exchanges == []


async def test_a_picture_in_a_block_of_a_film_is_an_error_on_moonshot_too(
    serve: Callable[..., KimiServer],
) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"content\[0\]: the film is image/png"):
        await ask(model(serve("moonshot")), asked(film_block(png())), "invoke")


def test_counting_tokens_uploads_where_the_count_needs_it(
    serve: Callable[..., KimiServer],
) -> None:
    server = serve("moonshot")
    llm = model(server)
    messages = asked(film_block(long_film()))
    assert llm.get_num_tokens_from_messages(messages) > 0
    llm.invoke(messages)
    assert paths(server, "POST").count("/v1/files") == 1
