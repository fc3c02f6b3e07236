"""Whatever history looks like, the request is one that every server takes."""

from __future__ import annotations

import copy
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.testing.dialects import DIALECTS
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings
from langchain_kimi.wire.history import MISSING_RESULT
from langchain_kimi.wire.request import build_request

from .conversations import Case, call, image, result, thought
from .properties import thorough

IDS = st.sampled_from(["a", "b", "functions.f:0", "functions.f:1", "call_77", ""])
NAMES = st.sampled_from(["f", "g", "db.find", "db-find", "2x", "größe"])
WORDS = st.text("abc \n", min_size=1).filter(str.strip)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    return call(draw(IDS | st.none()), draw(NAMES), x=draw(st.integers()))


@st.composite
def broken_calls(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "type": "invalid_tool_call",
        "id": draw(IDS | st.none()),
        "name": draw(NAMES | st.none()),
        "args": draw(st.sampled_from(['{"x": ', "", None, "no JSON"])),
        "error": None,
    }


@st.composite
def assistants(draw: st.DrawFn) -> AIMessage:
    reasoning = draw(st.none() | st.sampled_from(["", "hm"]))
    kwargs = {} if reasoning is None else {"reasoning_content": reasoning}
    return AIMessage(
        draw(st.sampled_from(["", "  ", "I say."]) | st.just([{"type": "text", "text": "I say."}])),
        additional_kwargs=kwargs,
        tool_calls=draw(st.lists(calls(), max_size=3)),
        invalid_tool_calls=draw(st.lists(broken_calls(), max_size=1)),
    )


RESULTS = st.builds(
    lambda id_, content: ToolMessage(content, tool_call_id=id_), IDS, WORDS | st.just([image()])
)
MESSAGES = st.lists(assistants() | RESULTS | st.builds(HumanMessage, WORDS), max_size=12)
CONVERSATIONS = MESSAGES.map(lambda messages: [HumanMessage("Begin."), *messages])


def request_for(messages: list[BaseMessage], endpoint: str = "vllm", **options: Any) -> Any:
    case = Case(name="", messages=tuple(messages), options=options)
    return build_request(messages, case.options_for(endpoint))


def sent(messages: list[BaseMessage], endpoint: str = "vllm", **options: Any) -> list[Any]:
    body = request_for(messages, endpoint, **options).body
    return list(body["messages"])


@thorough
@given(messages=CONVERSATIONS, preserve=st.booleans(), endpoint=st.sampled_from(list(ENDPOINTS)))
def test_every_server_takes_it(messages: list[BaseMessage], preserve: bool, endpoint: str) -> None:
    request = request_for(messages, endpoint, preserve_thinking=preserve)

    dialect = DIALECTS[endpoint]
    settings = Settings(models=(request.body["model"],))
    dialect.check(ChatRequest(request.body), settings, ())


@thorough
@given(messages=CONVERSATIONS)
def test_every_call_has_its_result_behind_it(messages: list[BaseMessage]) -> None:
    wired = sent(messages)

    count = 0
    waiting: list[str] = []
    for message in wired:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            continue
        assert not waiting
        for wired_call in message.get("tool_calls", ()):
            name = wired_call["function"]["name"]
            assert name.isascii()
            assert name.isidentifier()
            assert wired_call["id"] == f"functions.{name}:{count}"
            assert isinstance(json.loads(wired_call["function"]["arguments"]), dict)
            waiting.append(wired_call["id"])
            count += 1
    assert not waiting


@thorough
@given(messages=CONVERSATIONS)
def test_nothing_that_was_said_vanishes(messages: list[BaseMessage]) -> None:
    wired = sent(messages)

    spoken = [m.text for m in messages if isinstance(m, HumanMessage)]
    heard = [m["content"] for m in wired if m["role"] == "user" and isinstance(m["content"], str)]
    parts = [
        part["text"]
        for m in wired
        if m["role"] == "user" and isinstance(m["content"], list)
        for part in m["content"]
        if part["type"] == "text"
    ]
    assert all(text in heard + parts for text in spoken)
    said = [m for m in messages if isinstance(m, AIMessage)]
    assert sum(len(m.tool_calls) + len(m.invalid_tool_calls) for m in said) == sum(
        len(m.get("tool_calls", ())) for m in wired
    )


@thorough
@given(messages=CONVERSATIONS)
def test_the_callers_messages_stay_as_they_are(messages: list[BaseMessage]) -> None:
    before = copy.deepcopy(messages)
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    options: dict[str, Any] = {
        "extra_body": {"chat_template_kwargs": {"x": {"y": 1}}},
        "tools": [{"type": "function", "function": {"name": "a-b", "parameters": schema}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        "stop": ["END"],
    }
    kept = copy.deepcopy(options)

    sent(messages, **options)

    assert messages == before
    assert options == kept


@thorough
@given(loops=st.lists(st.lists(calls(), min_size=1, max_size=3), min_size=1, max_size=5))
def test_a_running_loop_only_grows(loops: list[list[dict[str, Any]]]) -> None:
    """What was sent stays the beginning of what is sent next: servers cache the prefix."""
    messages: list[BaseMessage] = [SystemMessage("Be brief."), HumanMessage("Begin.")]
    earlier = sent(messages)
    for number, made in enumerate(loops):
        messages.append(thought(f"thought {number}", tool_calls=made))
        messages += [result(made_call["id"] or "", "done") for made_call in made]
        later = sent(messages)
        assert later[: len(earlier)] == earlier
        earlier = later


def test_reordered_results_find_their_calls() -> None:
    made = [call("a", "f", x=1), call("b", "f", x=2)]

    wired = sent(
        [
            HumanMessage("Go."),
            result("b", "early"),
            AIMessage("", tool_calls=made),
            result("a", "A"),
        ]
    )

    assert [m["content"] for m in wired if m["role"] == "tool"] == ["A", "early"]


def test_a_result_goes_to_the_latest_call_with_its_id() -> None:
    first, second = (
        AIMessage("", tool_calls=[call("x", "f", turn=turn)]) for turn in ("first", "second")
    )

    wired = sent([HumanMessage("Go."), first, second, result("x", "of the second")])

    assert [m["content"] for m in wired if m["role"] == "tool"] == [MISSING_RESULT, "of the second"]


def test_repairs_are_told_at_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "langchain_kimi")

    sent(
        [
            HumanMessage("Go."),
            AIMessage(""),
            result("ghost", "nobody asked"),
            AIMessage("", tool_calls=[call("a", "f")]),
        ]
    )

    text = caplog.text
    assert "messages[1]: left out an assistant message that is empty" in text
    assert "messages[2]: left out a result that answers no open call (ghost)" in text
    assert "messages[3]: no result for call a" in text


@pytest.mark.parametrize(
    "message",
    [
        FunctionMessage("x", name="f"),
        RemoveMessage(id="1"),
        ChatMessage(role="tool", content="x"),
        ChatMessage(role="critic", content="x"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_of_no_known_kind_are_named(message: BaseMessage) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"messages\[1\] is a .*use HumanMessage"):
        sent([HumanMessage("Go."), message])


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}, "audio block"),
        ({"type": "server_tool_call", "name": "x"}, "'server_tool_call'"),
        ({"type": "video", "url": "https://example.com/a.mp4"}, "video block"),
        ({"type": "image", "url": "file:///etc/passwd"}, "scheme 'file'"),
        ({"type": "image", "url": "/etc/passwd"}, "scheme '/etc/passwd'"),
        ({"type": "image", "file_id": "f-1"}, "file id"),
        ({"no": "type"}, "None"),
        ({"type": "text", "text": 5}, "text is a int"),
        ({"type": "text", "text": {"a": 1}}, "text is a dict"),
        (42, "'int'"),
    ],
)
def test_a_block_that_cannot_be_sent_is_named(block: Any, said: str) -> None:
    message = HumanMessage("x").model_copy(
        update={"content": [{"type": "text", "text": "See:"}, block]}
    )

    with pytest.raises(KimiInvalidInputError) as caught:
        sent([SystemMessage("s"), message])

    assert "messages[1].content[1]" in str(caught.value)
    assert said in str(caught.value)


def test_numbers_that_json_does_not_have_are_written_as_text() -> None:
    message = AIMessage(
        "", tool_calls=[{"name": "f", "args": {"x": [float("nan"), 1.5]}, "id": "1"}]
    )

    (call,) = sent([HumanMessage("Go."), message])[1]["tool_calls"]

    assert json.loads(call["function"]["arguments"]) == {"x": ["nan", 1.5]}


def test_arguments_that_are_nested_too_deeply_are_refused() -> None:
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(5000):
        inner["a"] = inner = {}
    message = AIMessage("", tool_calls=[{"name": "f", "args": deep, "id": "1"}])

    with pytest.raises(KimiInvalidInputError, match=r"messages\[1\] holds what cannot be written"):
        sent([HumanMessage("Go."), message])


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([{"type": "refusal", "refusal": "No."}], "No."),
        ([{"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}}, "Hi."], "Hi."),
        ([{"type": "non_standard", "value": {}}, {"type": "text", "text": "Hi."}], "Hi."),
        ([image()], "[image: image/png]"),
        ([{"type": "web_search_call", "id": "x"}], None),
    ],
    ids=["refusal", "server_tool_use", "non_standard", "picture", "nothing_said"],
)
def test_what_other_providers_wrote_does_not_end_a_conversation(
    blocks: list[Any], said: str | None
) -> None:
    messages = sent([HumanMessage("Go."), AIMessage(blocks), HumanMessage("More.")])

    assert [message["content"] for message in messages[1:-1]] == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"},
            "a audio block",
        ),
        ({"type": "image", "url": "file:///etc/passwd"}, "scheme 'file'"),
        ({"type": "resource", "uri": "x://y", "text": "hey"}, '"text": "hey"'),
        ({"type": "resource", "text": "y" * 9_000}, "type 'resource'"),
        ({"type": "text", "text": 5}, '"text": 5'),
    ],
)
def test_a_result_that_cannot_be_shown_is_told_to_the_model(
    block: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the state for good: an error would end every later turn too."""
    asked = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "a"}])
    answer = ToolMessage("", tool_call_id="a").model_copy(
        update={"content": [{"type": "text", "text": "See:"}, block]}
    )

    result = sent([HumanMessage("Go."), asked, answer])[-1]

    assert result["role"] == "tool"
    assert result["content"].startswith("See:\n")
    assert said in result["content"]
    assert "messages[2].content[1]" not in result["content"]
    assert "messages[2].content[1]" in caplog.text


@pytest.mark.parametrize("messages", [[], [AIMessage("")], [result("x", "orphan")]])
def test_there_must_be_something_to_send(messages: list[BaseMessage]) -> None:
    with pytest.raises(KimiInvalidInputError, match="no message to send"):
        sent(messages)


def test_assets_are_named_in_the_header_nvidia_reads() -> None:
    block = {"type": "image", "file_id": "a1b2", "mime_type": "image/jpeg"}

    request = request_for([HumanMessage([block, block])], "nvidia")

    assert request.headers == {"NVCF-INPUT-ASSET-REFERENCES": "a1b2"}
    parts = request.body["messages"][0]["content"]
    assert parts[0]["image_url"]["url"] == "data:image/jpeg;asset_id,a1b2"


def test_moonshot_takes_uploads_and_films() -> None:
    wired = sent(
        [
            HumanMessage(
                [
                    {"type": "video", "file_id": "v1"},
                    {"type": "image", "url": "ms://i1"},
                ]
            )
        ],
        "moonshot",
    )

    assert wired[0]["content"] == [
        {"type": "video_url", "video_url": {"url": "ms://v1"}},
        {"type": "image_url", "image_url": {"url": "ms://i1"}},
    ]
