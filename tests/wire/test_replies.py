"""A reply is the same message whether it comes whole or in any pieces, in any order."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import (
    KimiContentFilterError,
    KimiEmptyReplyError,
    KimiError,
    KimiServerError,
    KimiToolChoiceError,
    KimiTruncatedStreamError,
)
from langchain_kimi.transport.events import EventDecoder
from langchain_kimi.transport.server import Server
from langchain_kimi.wire import blocks
from langchain_kimi.wire.reply import carries_output, read_reply
from langchain_kimi.wire.stream import StreamReader

from .conversations import K27, call
from .properties import thorough
from .replies import (
    TOOLS,
    Event,
    WireCall,
    WireReply,
    arguments_of,
    essence,
    event,
    fragment,
    read,
    read_stream,
    request,
    streams,
)
from .test_arguments import texts
from .test_markers import TEXTS

NAMES = st.sampled_from(["f", "g", "db_find", "unheard_of"])
IDS = st.sampled_from([None, "functions.f:0", "functions.g:1", "call_1", "x"])
CALLS = st.lists(
    st.builds(WireCall, name=NAMES | st.none(), id=IDS, arguments=texts() | st.none()), max_size=3
)
SPEECH = st.text("ab \n<é😀", max_size=12)
REPLIES = st.builds(
    WireReply,
    reasoning=st.none() | SPEECH | TEXTS,
    content=st.none() | SPEECH | TEXTS,
    calls=CALLS.map(tuple),
    finish=st.sampled_from(["stop", "tool_calls", "length", None]),
)


def unique_ids(reply: WireReply) -> bool:
    ids = [made.id for made in reply.calls if made.id]
    return len(set(ids)) == len(ids)


def outcome(read_it: Any) -> Any:
    """The message, or the error with what had arrived."""
    try:
        return essence(read_it())
    except KimiError as error:
        return type(error), str(error), essence(error.partial) if error.partial else None


@thorough
@given(stream=streams(REPLIES.filter(unique_ids)))
def test_streamed_is_not_streamed(stream: tuple[WireReply, list[Event]]) -> None:
    reply, events = stream

    whole = outcome(lambda: read(reply, request()))

    assert outcome(lambda: read_stream(events, request())) == whole


@thorough
@given(stream=streams(REPLIES), wait=st.booleans())
def test_ids_are_unique_and_calls_have_names(
    stream: tuple[WireReply, list[Event]], wait: bool
) -> None:
    reply, events = stream
    history = [
        HumanMessage("Go."),
        AIMessage("", tool_calls=[call("functions.f:0", "f"), call("x", "g")]),
        ToolMessage("1", tool_call_id="functions.f:0"),
        ToolMessage("2", tool_call_id="x"),
    ]
    try:
        message: AIMessage = read_stream(events, request(*history), wait=wait)
    except KimiError:
        return

    calls = [*message.tool_calls, *message.invalid_tool_calls]
    ids = [made["id"] for made in calls]
    assert len(set(ids)) == len(ids)
    assert all(ids)
    assert not {"functions.f:0", "x"} & set(ids)
    assert all(made["name"] for made in message.tool_calls)
    assert len(calls) >= len(reply.calls)
    reasons = message.response_metadata.get("invalid_tool_call_errors", {})
    assert set(reasons) == {made["id"] for made in message.invalid_tool_calls}


@thorough
@given(
    stream=streams(
        st.builds(
            WireReply,
            reasoning=st.none() | SPEECH,
            content=st.none() | SPEECH,
            calls=CALLS.map(tuple),
        )
    ),
    seed=st.integers(),
)
def test_channels_may_be_shuffled(stream: tuple[WireReply, list[Event]], seed: int) -> None:
    """Thoughts, words and calls of a stream come in any order among each other."""
    _, events = stream
    expected = outcome(lambda: read_stream(events, request()))
    begin, *middle, finish, usage = events
    lanes: dict[str, list[Event]] = {}
    for one in middle:
        (kind,) = one["choices"][0]["delta"]
        lanes.setdefault(kind, []).append(one)
    shuffle = random.Random(seed)
    mixed = []
    while lanes:
        kind = shuffle.choice(sorted(lanes))
        mixed.append(lanes[kind].pop(0))
        if not lanes[kind]:
            del lanes[kind]

    assert outcome(lambda: read_stream([begin, *mixed, finish, usage], request())) == expected


@thorough
@given(stream=streams(REPLIES), v1=st.booleans(), data=st.data())
def test_a_stream_that_is_cut_has_no_valid_call(
    stream: tuple[WireReply, list[Event]], v1: bool, data: st.DataObject
) -> None:
    _, events = stream
    cut = data.draw(st.integers(0, len(events) - 2))  # before the finish

    with pytest.raises(KimiError) as caught:
        read_stream(events[:cut], request(), v1=v1, done=False)

    assert isinstance(caught.value, KimiTruncatedStreamError)
    partial = caught.value.partial
    assert partial is not None
    assert partial.tool_calls == []


@thorough
@given(stream=streams(REPLIES))
def test_standard_blocks_streamed_and_not(stream: tuple[WireReply, list[Event]]) -> None:
    reply, events = stream
    try:
        message = blocks.whole_v1(read(reply, request()))
    except KimiError:
        return
    if not unique_ids(reply):
        return

    summed = read_stream(events, request(), v1=True)

    def plain(content: Any) -> dict[str, Any]:
        kinds: dict[str, Any] = {}
        for block in content:
            if block["type"] in {"tool_call_chunk", "invalid_tool_call"}:
                # what core leaves of a broken call in a stream's content is its last chunk
                kinds.setdefault("invalid", []).append(block["id"])
                continue
            said = {key: value for key, value in block.items() if key != "index"}
            kinds.setdefault(block["type"], []).append(said)
        return kinds

    assert plain(summed.content) == plain(message.content)
    assert summed.tool_calls == message.tool_calls
    assert "reasoning_content" not in summed.additional_kwargs
    assert summed.text == message.text


@thorough
@given(
    stream=streams(REPLIES.filter(unique_ids)),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
def test_any_chunking_of_the_same_bytes(
    stream: tuple[WireReply, list[Event]], newline: str, data: st.DataObject
) -> None:
    reply, events = stream
    lines = [f": ping {{{newline}data: {json.dumps(one, ensure_ascii=False)}" for one in events]
    body = (2 * newline).join([*lines, "data: [DONE]", ""]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    decoder = EventDecoder(Server(base_url="http://h/v1", endpoint="nvidia"), 200, {})

    read_events: list[Event] = []
    for start, end in itertools.pairwise([0, *cuts, len(body)]):
        read_events += decoder.feed(body[start:end])
    read_events += decoder.finish()

    assert decoder.done
    assert decoder.failure is None
    whole = outcome(lambda: read(reply, request()))
    assert outcome(lambda: read_stream(read_events, request())) == whole


# --- quirks, one by one -----------------------------------------------------------------------


def test_a_forced_call_that_ends_in_stop_is_a_call() -> None:
    made = WireCall(name="f", id="functions.f:0", arguments='{"x": 1}')

    message = read(WireReply(content="", calls=(made,), finish="stop"), request())

    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.tool_calls == [call("functions.f:0", "f", x=1)]


def test_names_are_mapped_back() -> None:
    made = WireCall(name="db_find", id="functions.db_find:0", arguments="{}")

    assert read(WireReply(calls=(made,)), request()).tool_calls[0]["name"] == "db.find"


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": "hm", "reasoning_content": None},
        {"reasoning": "hm", "reasoning_content": ""},
        {"reasoning": "hm", "reasoning_content": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"content": "<think>hm</think>"},
    ],
)
def test_reasoning_under_every_name(delta: Event) -> None:
    message = read_stream(
        [event(delta), event({"content": "Yes."}), event(finish="stop")], request()
    )

    assert message.additional_kwargs == {"reasoning_content": "hm"}
    assert message.content == "Yes."


def test_empty_reasoning_is_kept_and_null_is_none() -> None:
    empty = read(WireReply(reasoning="", content="Yes."), request())
    body = WireReply(content="Yes.").body()
    body["choices"][0]["message"]["reasoning"] = None

    assert empty.additional_kwargs == {"reasoning_content": ""}
    none, _ = read_reply(body, request(), ENDPOINTS["vllm"], may_be_empty=False)
    assert none.additional_kwargs == {}


def test_parallel_calls_that_are_all_numbered_zero() -> None:
    events = [
        event({"tool_calls": [fragment(0, id="a", name="f", arguments='{"x"')]}),
        event({"tool_calls": [fragment(0, arguments=": 1}")]}),
        event({"tool_calls": [fragment(0, id="b", name="f", arguments='{"x": 2}')]}),
        event(finish="tool_calls"),
    ]

    assert read_stream(events, request()).tool_calls == [call("a", "f", x=1), call("b", "f", x=2)]


def test_ids_without_indexes_route_fragments() -> None:
    events = [
        event({"tool_calls": [fragment(None, id="a", name="f"), fragment(None, id="b", name="f")]}),
        event({"tool_calls": [fragment(None, id="a", arguments='{"x": 1}')]}),
        event({"tool_calls": [fragment(None, id="b", arguments='{"x": 2}')]}),
        event(finish="tool_calls"),
    ]

    assert read_stream(events, request()).tool_calls == [call("a", "f", x=1), call("b", "f", x=2)]


def test_a_late_name_without_an_index() -> None:
    events = [
        event({"tool_calls": [fragment(None, id="a", arguments='{"x"')]}),
        event({"tool_calls": [fragment(None, arguments=": 1}")]}),
        event({"tool_calls": [fragment(None, name="f")]}),
        event({"tool_calls": [fragment(None, name="g")]}),
        event(finish="tool_calls"),
    ]

    first, second = read_stream(events, request()).tool_calls

    assert first == call("a", "f", x=1)
    assert second["name"] == "g"


def test_pieces_of_one_call_in_one_event() -> None:
    pieces = [fragment(0, id="a", name="f", arguments='{"x"'), fragment(0, arguments=": 1}")]
    cut = WireReply(content="<|tool_call_begin|>functions.f:0", finish="stop")

    joined = read_stream([event({"tool_calls": pieces}), event(finish="tool_calls")], request())
    broken = read_stream([event({"content": cut.content}), event(finish="stop")], request())

    assert joined.tool_calls == [call("a", "f", x=1)]
    assert broken.tool_calls == []
    assert [invalid["name"] for invalid in broken.invalid_tool_calls] == ["f"]


def test_arguments_as_an_object() -> None:
    body = WireReply(calls=(WireCall(name="f", id="a", arguments=None),)).body()
    body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = {"x": 1}

    message, _ = read_reply(body, request(), ENDPOINTS["nvidia"], may_be_empty=False)

    assert message.tool_calls == [call("a", "f", x=1)]


def test_a_call_without_a_name_is_invalid_with_its_reason() -> None:
    made = WireCall(name=None, id="a", arguments='{"x": 1}')

    for message in (
        read(WireReply(calls=(made,)), request()),
        read_stream(
            [
                event({"tool_calls": [fragment(0, id="a", arguments='{"x": 1}')]}),
                event(finish="tool_calls"),
            ],
            request(),
        ),
    ):
        assert message.tool_calls == []
        (invalid,) = message.invalid_tool_calls
        assert '{"x": 1}' in str(invalid["args"])
        reasons = message.response_metadata["invalid_tool_call_errors"]
        assert reasons == {"a": "the server sent a tool call without a name"}


@pytest.mark.parametrize("arguments", [None, "", " ", '{"x": ', '{"x": 1'])
def test_a_call_that_the_budget_cut_is_invalid(arguments: str | None) -> None:
    made = WireCall(name="f", id="a", arguments=arguments)
    events = [
        event({"tool_calls": [fragment(0, id="a", name="f", arguments=arguments)]}),
        event(finish="length"),
    ]

    for message in (
        read(WireReply(calls=(made,), finish="length"), request()),
        read_stream(events, request()),
    ):
        assert message.tool_calls == []
        assert [invalid["id"] for invalid in message.invalid_tool_calls] == ["a"]
        assert message.response_metadata["finish_reason"] == "length"


def test_a_call_that_was_complete_before_the_budget_ended_is_valid() -> None:
    made = WireCall(name="f", id="a", arguments='{"x": 1}')

    message = read(WireReply(calls=(made,), finish="length"), request())

    assert message.tool_calls == [call("a", "f", x=1)]


def test_a_leaked_call_whose_header_was_cut_is_invalid() -> None:
    leak = "I look.<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0"

    message = read(WireReply(content=leak, finish="stop"), request())

    assert message.content == "I look."
    assert message.tool_calls == []
    assert [invalid["name"] for invalid in message.invalid_tool_calls] == ["f"]


def test_leaked_calls_leave_the_text_and_the_thoughts() -> None:
    leak = (
        "<|tool_call_section_begin|><|tool_call_begin|>functionsf5<|tool_call_argument_begin|>"
        '{"x": 1}<|tool_call_end|><|tool_call_section_end|>'
    )

    message = read(WireReply(reasoning=f"hm {leak}", content=f"{leak} Yes."), request())

    assert message.content == " Yes."
    assert message.additional_kwargs["reasoning_content"] == "hm "
    assert [made["name"] for made in message.tool_calls] == ["f", "f"]
    assert [made["id"] for made in message.tool_calls] == ["functions.f:0", "functions.f:1"]


def test_thoughts_as_content_without_a_parser() -> None:
    reply = WireReply(content="hm</think>\n\nYes.")

    message, stray = read_reply(reply.body(), request(), ENDPOINTS["vllm"], may_be_empty=False)
    held = read_stream(
        [event({"content": "hm</thi"}), event({"content": "nk>Yes."})], request(), wait=True
    )

    assert stray.stray_think_end
    assert message.additional_kwargs["reasoning_content"] == "hm"
    assert message.content == "\n\nYes."
    assert held.additional_kwargs["reasoning_content"] == "hm"
    assert held.content == "Yes."


QUOTED = "Strip it with re.sub(r'<think>.*?</think>', '', text) and you are done."


@pytest.mark.parametrize("wait", [True, False])
def test_an_answer_that_quotes_the_tags_stays_whole(wait: bool) -> None:
    reply = WireReply(content=QUOTED)

    whole, read_by = read_reply(reply.body(), request(), ENDPOINTS["vllm"], may_be_empty=False)
    streamed = read_stream([event({"content": QUOTED}), event(finish="stop")], request(), wait=wait)

    assert whole.content == streamed.content == QUOTED
    assert not read_by.stray_think_end


def test_a_stray_tag_tells_nothing_where_thoughts_came_apart_or_none_were_asked_for() -> None:
    said = "The tag </think> closes."
    parsed = WireReply(reasoning="hm", content=said).body()
    instant = request(endpoint="vllm", thinking=False)

    for body, asked in ((parsed, request()), (WireReply(content=said).body(), instant)):
        message, read_by = read_reply(body, asked, ENDPOINTS["vllm"], may_be_empty=False)
        assert message.content == said
        assert not read_by.stray_think_end


TALK = "Kimi's marker <|tool_call_begin|> begins a call and <|tool_call_end|> ends it."


@pytest.mark.parametrize("endpoint", ["nvidia", "vllm"])
def test_an_answer_about_the_markers_calls_nothing(endpoint: str) -> None:
    bare = request(endpoint=endpoint, tools=[])
    real = "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>"

    for text, asked in ((TALK, request()), (TALK, bare), (real, bare)):
        body = WireReply(content=text).body()
        message, _ = read_reply(body, asked, ENDPOINTS[endpoint], may_be_empty=False)
        assert (message.content, message.tool_calls) == (text, [])


def test_a_server_that_got_its_parser_back_is_not_waited_for() -> None:
    reader = StreamReader(request(), ENDPOINTS["vllm"], v1=False, await_think_end=True)
    reader.assembler.feed(event({"reasoning": "hm"}))

    assert reader.assembler.feed(event({"content": "Yes."})).text == "Yes."


def test_content_as_parts() -> None:
    body = WireReply().body()
    body["choices"][0]["message"]["content"] = [
        {"type": "text", "text": "Yes"},
        {"type": "text", "text": "."},
    ]

    message, _ = read_reply(body, request(), ENDPOINTS["nvidia"], may_be_empty=False)

    assert message.content == "Yes."


def test_a_whole_reply_in_place_of_a_stream() -> None:
    """A gateway that does not stream answers with the one JSON object."""
    made = WireCall(name="f", id="a", arguments='{"x": 1}')
    reply = WireReply(reasoning="hm", content="I look.", calls=(made,), finish="tool_calls")

    message = read_stream([reply.body()], request())

    assert carries_output(reply.body())
    assert essence(message) == essence(read(reply, request()))


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        {"error": {"message": "CUDA out of memory", "type": "server_error"}},
        {"object": "error", "message": "CUDA out of memory", "code": 500},
        {"status": 500, "title": "Internal Server Error", "detail": "CUDA out of memory"},
    ],
)
def test_an_error_in_place_of_a_reply_or_an_event(failure: Event) -> None:
    with pytest.raises(KimiServerError, match="CUDA out of memory"):
        read_reply(failure, request(), ENDPOINTS["vllm"], may_be_empty=False)
    with pytest.raises(KimiServerError, match="CUDA out of memory"):
        read_stream([event({"content": "Well"}), failure, event(finish="stop")], request())


@pytest.mark.parametrize("endpoint", ["nvidia", "vllm"])
def test_an_error_beside_a_piece_of_the_answer(endpoint: str) -> None:
    """Gateways say so with the last piece: seen with `finish_reason: "error"` in the same event."""
    whole = {**WireReply(content="half", finish="error").body(), "error": {"message": "it died"}}

    with pytest.raises(KimiServerError, match="it died") as caught:
        read_reply(whole, request(), ENDPOINTS[endpoint], may_be_empty=False)

    assert caught.value.partial is not None
    assert caught.value.partial.content == "half"


@pytest.mark.parametrize("finish", ["error", "abort"])
def test_a_reply_that_the_server_gave_up(finish: str) -> None:
    made = WireCall(name="f", id="a", arguments='{"x": 1}')
    reply = WireReply(content="half", calls=(made,), finish=finish)

    with pytest.raises(KimiServerError, match=f"finish_reason '{finish}'") as whole:
        read(reply, request())
    with pytest.raises(KimiServerError, match=f"finish_reason '{finish}'") as streamed:
        read_stream([event({"content": "half"}), event(finish=finish)], request())

    for caught in (whole, streamed):
        assert caught.value.partial is not None
        assert caught.value.partial.content == "half"
        assert caught.value.partial.tool_calls == []
    assert not carries_output(event(finish=finish))


def test_one_choice_is_read() -> None:
    """A server that answers several times numbers its choices; a message is one answer."""
    other = {"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}
    events = [event({"content": "y"}), {**event(), "choices": [other]}, event({"content": "es"})]

    message = read_stream([*events, event(finish="stop")], request())

    assert message.content == "yes"
    assert message.response_metadata["finish_reason"] == "stop"


def test_a_filtered_reply() -> None:
    with pytest.raises(KimiContentFilterError) as caught:
        read(WireReply(content="Well", finish="content_filter"), request())

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Well"


@pytest.mark.parametrize(
    ("finish", "said"),
    [("length", "token budget was used up"), ("stop", "neither an answer nor a tool call")],
)
def test_a_reply_of_thoughts_alone(finish: str, said: str) -> None:
    body = WireReply(reasoning="hm", content=" \n", finish=finish).body()

    with pytest.raises(KimiEmptyReplyError, match=said) as caught:
        read_reply(body, request(), ENDPOINTS["nvidia"], may_be_empty=False)

    assert caught.value.partial is not None
    assert caught.value.partial.additional_kwargs["reasoning_content"] == "hm"
    assert caught.value.partial.usage_metadata is not None


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": None}, {"choices": [{}]}])
def test_a_reply_that_is_none(body: Event) -> None:
    with pytest.raises(KimiEmptyReplyError):
        read_reply(body, request(), ENDPOINTS["nvidia"], may_be_empty=False)


def test_a_stop_sequence_may_end_a_reply_before_its_first_word() -> None:
    body = WireReply(reasoning="hm", content="").body()

    message, _ = read_reply(body, request(), ENDPOINTS["nvidia"], may_be_empty=True)

    assert message.content == ""


def test_an_event_without_choices_says_nothing() -> None:
    assert not carries_output({"choices": [], "usage": None})
    assert not carries_output(event({"role": "assistant", "content": ""}))
    assert carries_output(event(finish="stop"))
    assert carries_output(event({"reasoning": "hm"}))


@pytest.mark.parametrize(("choice", "name"), [("any", None), ("g", "g")])
def test_a_call_that_had_to_be_made(choice: str, name: str | None) -> None:
    asked = {"model": K27, "tool_choice": choice, "tools": TOOLS}
    other = WireCall(name="g", id="a", arguments=arguments_of())

    assert read(WireReply(calls=(other,)), request(**asked)).tool_calls
    with pytest.raises(KimiToolChoiceError, match="had to call") as caught:
        read(WireReply(content="No."), request(**asked))
    assert caught.value.partial is not None
    if name:
        with pytest.raises(KimiToolChoiceError, match="had to call 'g'"):
            read(
                WireReply(calls=(WireCall(name="f", id="a", arguments='{"x": 1}'),)),
                request(**asked),
            )
