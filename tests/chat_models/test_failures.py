"""What goes wrong on a server is an error of the right class that holds what had arrived."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import langchain_core.exceptions as core
import pytest

from langchain_kimi import ChatKimi, KimiError, Timeout
from langchain_kimi.errors import (
    KimiAuthenticationError,
    KimiBadRequestError,
    KimiConnectionError,
    KimiContextOverflowError,
    KimiModelRetiredError,
    KimiNotFoundError,
    KimiPermissionDeniedError,
    KimiQuotaExceededError,
    KimiRateLimitError,
    KimiRequestTooLargeError,
    KimiServerError,
    KimiTimeoutError,
    KimiTruncatedStreamError,
    KimiUnsupportedParameterError,
)
from langchain_kimi.testing import KimiServer as Server
from langchain_kimi.testing import (
    accepted,
    call,
    cut,
    drop,
    end_early,
    error,
    error_event,
    forbidden,
    gone,
    hang,
    malformed_chunk,
    out_of_quota,
    pause,
    rate_limited,
    retired,
    say,
    server_error,
    slow_first_token,
    think,
    turn,
    unauthorized,
)

from .calling import Ask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_core.messages import AIMessage

    from langchain_kimi.testing import KimiServer


def read(path: str, text: str) -> str:
    """Read a file."""
    return path + text


REFUSALS = {
    "unauthorized": (unauthorized(), KimiAuthenticationError, core.ModelAuthenticationError, 401),
    "forbidden": (forbidden(), KimiPermissionDeniedError, core.ModelPermissionDeniedError, 403),
    "gone": (gone(), KimiModelRetiredError, core.ModelNotFoundError, 410),
    "rate_limited": (rate_limited(7), KimiRateLimitError, core.ModelRateLimitError, 429),
    "out_of_quota": (out_of_quota(), KimiQuotaExceededError, core.ModelPermissionDeniedError, 429),
    "too_large": (error(413), KimiRequestTooLargeError, core.ModelInvalidRequestError, 413),
    "bad_request": (error(400), KimiBadRequestError, core.ModelInvalidRequestError, 400),
    "not_found": (error(404, "no such model"), KimiNotFoundError, core.ModelNotFoundError, 404),
    "server_error": (server_error(503), KimiServerError, core.ModelAPIError, 503),
    "proxy_page": (server_error(502, html=True), KimiServerError, core.ModelAPIError, 502),
    "no_reply": (drop(), KimiConnectionError, core.ModelConnectionError, None),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_refusals(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, refusal: str
) -> None:
    fault, kind, base, status = REFUSALS[refusal]
    if refusal == "out_of_quota" and server.dialect == "nvidia":
        kind, base = KimiRateLimitError, core.ModelRateLimitError  # its 429 gives no reason
    server.script(fault)

    with pytest.raises(KimiError) as caught:
        await ask(connect(server), "Hi")

    assert type(caught.value) is kind
    assert isinstance(caught.value, base)
    assert caught.value.status == status
    assert caught.value.endpoint == server.dialect
    if refusal == "rate_limited":
        assert caught.value.retry_after == 7
    assert len(server.requests) == 1


async def test_a_retired_model_names_the_ways_out(
    servers: Callable[[str], KimiServer], connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server = servers("nvidia")
    server.clear()
    server.script(retired())

    with pytest.raises(KimiModelRetiredError, match=r'Ways out.*base_url.*endpoint="moonshot"'):
        await ask(connect(server), "Hi")


async def test_a_wrong_key(connect: Callable[..., ChatKimi], ask: Ask) -> None:
    with Server("moonshot", api_key="the right one") as server:
        with pytest.raises(KimiAuthenticationError):
            await ask(connect(server, api_key="sk-wrong-0123456789"), "Hi")
        server.script(say("Yes."))
        assert (await ask(connect(server, api_key="the right one"), "Hi")).content == "Yes."


async def test_a_prompt_that_is_too_long(connect: Callable[..., ChatKimi], ask: Ask) -> None:
    for dialect in ("nvidia", "vllm", "sglang", "moonshot"):
        with Server(dialect, context_window=600) as server:
            with pytest.raises(KimiContextOverflowError) as caught:
                await ask(connect(server, max_completion_tokens=10), "word " * 2000)
            assert isinstance(caught.value, core.ContextOverflowError)


async def test_a_parameter_that_nvidia_does_not_know(
    servers: Callable[[str], KimiServer], connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server = servers("nvidia")
    server.clear()

    with pytest.raises(KimiUnsupportedParameterError) as caught:
        await ask(connect(server, extra_body={"top_k": 1, "min_p": 0.1}), "Hi")

    assert caught.value.parameters == ("top_k", "min_p")


async def test_transient_refusals_are_tried_again(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(rate_limited(0), error(503, retry_after=0), say("At last."))

    message = await ask(connect(server, max_retries=2), "Hi")

    assert message.content == "At last."
    assert len(server.requests) == 3


@pytest.mark.parametrize("ask", [Ask("stream"), Ask("astream")])
async def test_nothing_is_tried_again_once_a_token_was_streamed(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(say("Half"), cut()), say("Whole."))

    with pytest.raises(KimiTruncatedStreamError) as caught:
        await ask(connect(server, max_retries=2), "Hi")

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Half"
    assert len(server.requests) == 1


CUTS: dict[str, Any] = {
    "dropped": cut(),
    "ended": end_early(),
    "malformed": malformed_chunk(),
    "error_event": error_event("the engine died"),
}


@pytest.mark.parametrize("mode", ["stream", "astream"])
@pytest.mark.parametrize("way", CUTS)
async def test_a_stream_that_breaks_off(
    server: KimiServer, connect: Callable[..., ChatKimi], mode: Any, way: str
) -> None:
    parts = (think("Look."), say("I look."), call("read", path="a", text="b"))
    server.script(turn(*parts, CUTS[way]))
    llm = connect(server).bind_tools([read])

    with pytest.raises(KimiError) as caught:
        await Ask(mode)(llm, "Read.")

    partial = caught.value.partial
    assert partial is not None
    assert partial.content == "I look."
    assert partial.additional_kwargs == {"reasoning_content": "Look."}
    assert partial.tool_calls == []
    assert [made["name"] for made in partial.invalid_tool_calls] == ["read"]
    if way == "error_event":
        assert isinstance(caught.value, KimiServerError)
        assert "the engine died" in str(caught.value)


STEP = 127
"""Bytes between two cuts; 1 takes minutes, and passes."""


async def outcome(asked: Awaitable[AIMessage]) -> tuple[AIMessage | None, KimiError | None]:
    try:
        return await asked, None
    except KimiError as error:
        return None, error


@pytest.mark.parametrize("mode", ["stream", "astream"])
async def test_a_stream_cut_at_any_byte(
    server: KimiServer, connect: Callable[..., ChatKimi], mode: Any
) -> None:
    parts = (think("Look."), say("I look."), call("read", path="a.txt", text="x" * 20))
    llm = connect(server).bind_tools([read])
    server.script(turn(*parts))
    whole = await Ask(mode)(llm, "Read.")
    cuts = 0

    for offset in itertools.count(1, STEP):
        server.script(turn(*parts, cut(after_bytes=offset)))
        message, broken = await outcome(Ask(mode)(llm, "Read."))
        if broken is None:
            break
        cuts += 1
        assert broken.partial is not None, offset
        assert broken.partial.tool_calls == [], offset
        assert "I look.".startswith(str(broken.partial.content)), offset

    assert cuts > 10
    assert message is not None
    assert message.tool_calls == whole.tool_calls
    assert message.content == whole.content


async def test_a_whole_reply_cut_in_its_middle(
    server: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    server.script(*[turn(say("A long answer."), cut())] * 2)
    llm = connect(server)

    for mode in ("invoke", "ainvoke"):
        with pytest.raises(KimiConnectionError):
            await Ask(mode)(llm, "Hi")


@pytest.mark.parametrize("ask", [Ask("stream"), Ask("astream")])
async def test_a_stream_that_ends_at_done_without_a_reason_to_finish(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    """`[DONE]` is the server's word that the reply is complete; a call must be so by itself."""
    server.script(
        turn(say("Well."), end_early(done=True)),
        turn(call("read", '{"path": "a", "te'), end_early(done=True)),
    )
    llm = connect(server).bind_tools([read])

    said = await ask(llm, "Hi")
    cut_call = await ask(llm, "Hi")

    assert said.content == "Well."
    assert cut_call.tool_calls == []
    assert len(cut_call.invalid_tool_calls) == 1


@pytest.mark.parametrize(
    ("fault", "phase"),
    [(hang(), "response"), (slow_first_token(5), "response")],
    ids=["no_headers", "no_token"],
)
async def test_a_silent_server(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, fault: Any, phase: str
) -> None:
    vllm.script(fault, say("Too late."))

    with pytest.raises(KimiTimeoutError, match=rf"Timeout\({phase}"):
        await ask(connect(vllm, timeout=Timeout(response=0.2)), "Hi")


@pytest.mark.parametrize("ask", [Ask("stream"), Ask("astream")])
async def test_a_stream_that_falls_silent(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    vllm.script(turn(say("Half"), pause(), say(" whole.")))

    with pytest.raises(KimiTimeoutError, match=r"Timeout\(idle") as caught:
        await ask(connect(vllm, timeout=Timeout(idle=0.5)), "Hi")

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Half"


async def test_a_reply_that_is_polled_for(
    servers: Callable[[str], KimiServer], connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server = servers("nvidia")
    server.clear()
    server.script(accepted(1), say("Here it is."))

    assert (await ask(connect(server), "Hi")).content == "Here it is."


async def test_a_202_that_nobody_polls_is_no_answer(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    vllm.script(accepted(1), say("Here it is."))

    with pytest.raises(KimiServerError, match="202"):
        await ask(connect(vllm), "Hi")


async def test_a_server_that_is_not_there(ask: Ask) -> None:
    llm = ChatKimi(base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0)

    with pytest.raises(KimiConnectionError, match="cannot be reached"):
        await ask(llm, "Hi")
    llm.close()


async def test_a_hosted_endpoint_needs_a_key(ask: Ask) -> None:
    with pytest.raises(KimiAuthenticationError, match="set NVIDIA_API_KEY or pass"):
        await ask(ChatKimi(), "Hi")
    with pytest.raises(KimiAuthenticationError, match="set MOONSHOT_API_KEY or pass"):
        await ask(ChatKimi(endpoint="moonshot"), "Hi")
