"""Replies and schemas made to break it: no half answer passes, no whole one is refused."""

from __future__ import annotations

import copy
import json
import pickle
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    computed_field,
    model_validator,
)

from langchain_kimi import ChatKimi
from langchain_kimi.errors import (
    KimiInvalidInputError,
    KimiStructuredOutputError,
    KimiTruncatedOutputError,
)
from langchain_kimi.structured_output import read_schema
from langchain_kimi.structured_output.parse import parse_message
from langchain_kimi.testing import (
    KimiServer,
    broken_arguments,
    call,
    end_early,
    finish,
    raw_control_characters,
    say,
    say_json,
    turn,
)

from .kinds import PARIS, PLAIN, Color, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ["json_schema", "function_calling", "json_mode"]
HOW = ["invoke", "stream"]


@pytest.fixture(scope="module")
def running() -> Iterator[KimiServer]:
    with KimiServer("vllm", chunk_chars=3) as server:
        yield server


@pytest.fixture
def server(running: KimiServer) -> KimiServer:
    running.clear()
    return running


@pytest.fixture
def llm(server: KimiServer) -> Iterator[ChatKimi]:
    model = ChatKimi(base_url=server.base_url, api_key="k", max_retries=0)
    yield model
    model.close()


def ask(structured: Any, how: str) -> Any:
    return structured.invoke("Go.") if how == "invoke" else list(structured.stream("Go."))[-1]


class Note(BaseModel):
    text: str


# --- replies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "text",
    [
        "Close it with </think> and go on.",
        'A "quoted" \\ word, {braces}, [brackets] and ```fences```.',
        "line one\nline two\ttab",
        "<|tool_call is no marker",
        "naïve 😀 \u2028",
    ],
)
def test_what_a_value_may_hold(server: KimiServer, llm: ChatKimi, text: str, how: str) -> None:
    server.script(say_json({"text": text}))

    assert ask(llm.with_structured_output(Note, repair=False), how) == Note(text=text)


@pytest.mark.parametrize("how", HOW)
def test_raw_control_characters(server: KimiServer, llm: ChatKimi, how: str) -> None:
    server.script(
        say('{"text": "one\ntwo"}'), turn(call("Note", text="a\nb"), raw_control_characters())
    )

    assert ask(llm.with_structured_output(Note), how) == Note(text="one\ntwo")
    by_call = llm.with_structured_output(Note, method="function_calling")
    assert ask(by_call, how) == Note(text="a\nb")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "text",
    ["See [1] and {that}: ", "Dear {name},\n```json\n", "The answer [draft]:\n\n"],
)
def test_brackets_before_the_answer(server: KimiServer, llm: ChatKimi, text: str, how: str) -> None:
    server.script(say(text + json.dumps(PARIS)))

    assert ask(llm.with_structured_output(Place, repair=False), how) == Place(**PARIS)


@pytest.mark.parametrize("how", HOW)
def test_a_string_that_never_ends_may_be_half_a_value(
    server: KimiServer, llm: ChatKimi, how: str
) -> None:
    server.script(say('{"text": "Par'), say_json({"text": "Paris"}))

    assert ask(llm.with_structured_output(Note), how) == Note(text="Paris")
    assert len(server.requests) == 2


@pytest.mark.parametrize("how", HOW)
def test_a_call_that_was_cut_is_no_answer(server: KimiServer, llm: ChatKimi, how: str) -> None:
    cut_call = turn(call("Note", text="Paris is the capital of France."), broken_arguments())
    server.script(cut_call, call("Note", text="Whole."), cut_call)
    structured = llm.with_structured_output(Note, method="function_calling")

    assert ask(structured, how) == Note(text="Whole.")
    with pytest.raises(KimiStructuredOutputError):
        ask(llm.with_structured_output(Note, method="function_calling", repair=False), how)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("schema", [Note, {"title": "Note", "type": "object"}])
def test_a_call_cut_by_the_budget_says_so(
    server: KimiServer, llm: ChatKimi, how: str, schema: Any
) -> None:
    server.script(turn(call("Note", '{"text": "Par'), finish("length")))

    with pytest.raises(KimiTruncatedOutputError, match="token budget"):
        ask(llm.with_structured_output(schema, method="function_calling"), how)
    assert len(server.requests) == 1


def test_a_stream_that_was_done_too_early_is_cut(server: KimiServer, llm: ChatKimi) -> None:
    server.script(turn(say('{"name": "Paris", "people": 21'), end_early(done=True)))

    with pytest.raises(KimiTruncatedOutputError):
        list(llm.with_structured_output(Place).stream("Go."))


@pytest.mark.parametrize("how", HOW)
def test_what_is_complete_before_the_budget_ends_is_an_answer(
    server: KimiServer, llm: ChatKimi, how: str
) -> None:
    server.script(turn(say(json.dumps(PARIS) + "\n\nThis is bec"), finish("length")))

    assert ask(llm.with_structured_output(Place), how) == Place(**PARIS)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("schema", "text", "answer"),
    [
        (Color, '"blue"', Color.BLUE),
        (int, "42", 42),
        (list[int], "[1, 2]", [1, 2]),
        (list[Place], json.dumps([PARIS]), [Place(**PARIS)]),
        (Literal["yes", "no"], '"no"', "no"),
        (bool, '{"value": false}', False),
        (int | None, '{"value": null}', None),
        (dict[str, int], '{"a": 1}', {"a": 1}),
    ],
)
def test_a_model_that_skips_the_wrapper_has_answered(
    server: KimiServer, llm: ChatKimi, schema: Any, text: str, answer: Any, how: str
) -> None:
    server.script(say(text))

    assert ask(llm.with_structured_output(schema, repair=False), how) == answer


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("text", ["null", "None", "I cannot.", "{}", "[]", '"Paris"', "7", '{"a"'])
@pytest.mark.parametrize("schema", [Place, PLAIN, Color, list[Place]])
def test_none_is_never_returned_for_a_failure(
    server: KimiServer, llm: ChatKimi, schema: Any, text: str, how: str
) -> None:
    server.script(say(text))
    if schema == list[Place] and text == "[]":
        assert ask(llm.with_structured_output(schema, repair=False), how) == []
        return

    with pytest.raises(KimiStructuredOutputError) as caught:
        ask(llm.with_structured_output(schema, repair=False), how)

    assert caught.value.partial is not None
    assert caught.value.partial.text == text


def test_a_lone_surrogate_is_a_mismatch_and_no_crash() -> None:
    message = AIMessage('{"text": "half of a smile: \\ud83d"}')

    with pytest.raises(KimiStructuredOutputError):
        parse_message(message, read_schema(Note), as_tool=False)


# --- models that cannot be forced -------------------------------------------------------------


@pytest.fixture
def unforced(server: KimiServer) -> Iterator[ChatKimi]:
    """A model that always thinks: it is asked to call the tool and may not."""
    model = ChatKimi(
        base_url=server.base_url, api_key="k", max_retries=0, model="moonshotai/Kimi-K2.7-Code"
    )
    yield model
    model.close()


@pytest.mark.parametrize("how", HOW)
def test_an_answer_in_words_instead_of_the_call(
    server: KimiServer, unforced: ChatKimi, how: str
) -> None:
    server.script(say("Here: " + json.dumps(PARIS)))
    structured = unforced.with_structured_output(Place, method="function_calling")

    assert ask(structured, how) == Place(**PARIS)
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", HOW)
def test_a_call_that_was_not_made_is_asked_for_once_more(
    server: KimiServer, unforced: ChatKimi, how: str
) -> None:
    server.script(turn(say("I would rather talk.")), turn(call("Place", **PARIS)))
    structured = unforced.with_structured_output(Place, method="function_calling")

    assert ask(structured, how) == Place(**PARIS)
    server.script(say("I would rather talk."), say("Still talking."))
    with pytest.raises(KimiStructuredOutputError):
        ask(structured, how)
    assert len(server.requests) == 4


# --- schemas ----------------------------------------------------------------------------------


@tool
def look_up(city: str) -> str:
    """Look a city up."""
    return city


def side_effect(city: str) -> str:
    """A function: reading its answer would call it."""
    raise AssertionError(city)


@pytest.mark.parametrize("schema", [side_effect, look_up, "Place", 7, object(), print, [Place]])
def test_what_is_no_schema_is_refused(llm: ChatKimi, schema: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match="cannot be used"):
        llm.with_structured_output(schema)


@pytest.mark.parametrize("method", METHODS)
def test_a_list_schema_with_definitions(server: KimiServer, llm: ChatKimi, method: Any) -> None:
    for key in ("$defs", "definitions"):
        schema = {
            "title": "Places",
            "type": "array",
            "items": {"$ref": f"#/{key}/Place"},
            key: {"Place": PLAIN},
        }
        before = copy.deepcopy(schema)
        answer = {"value": [PARIS]}
        server.script(call("Places", answer) if method == "function_calling" else say_json(answer))

        assert llm.with_structured_output(schema, method=method).invoke("Go.") == [PARIS]
        assert schema == before


def test_a_schema_that_refers_to_its_own_root(server: KimiServer, llm: ChatKimi) -> None:
    tree = {"title": "Tree", "type": "array", "items": {"$ref": "#"}}
    server.script(say_json({"value": [[], [[]]]}))

    assert llm.with_structured_output(tree).invoke("Go.") == [[], [[]]]
    wrapped = read_schema(tree).json_schema["properties"]["value"]
    assert wrapped["items"] == {"$ref": "#/properties/value"}


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Mode(Enum):
    ON = "on"


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    size: Size
    mode: Mode


def test_strict_models_read_json(server: KimiServer, llm: ChatKimi) -> None:
    server.script(say_json({"size": 2, "mode": "on"}))

    *partial, whole = llm.with_structured_output(Strict).stream("Go.")

    assert whole == Strict(size=Size.LARGE, mode=Mode.ON)
    assert [piece.size for piece in partial] == [Size.LARGE]


# --- answers while they grow ------------------------------------------------------------------


class Named(BaseModel):
    """Names that differ on the wire, and fields with defaults."""

    first: str = Field(alias="firstName")
    second: str = Field(validation_alias="secondName")
    third: str = Field(validation_alias=AliasChoices("thirdName", "3rd"))
    currency: str = "EUR"
    tags: list[str] = []


def test_partial_models_hold_what_is_complete_and_nothing_else(
    server: KimiServer, llm: ChatKimi
) -> None:
    answer = {
        "firstName": "Ada",
        "secondName": "King",
        "thirdName": "Byron",
        "currency": "USD",
        "tags": ["a", "b"],
    }
    server.script(say_json(answer))

    *partial, whole = llm.with_structured_output(Named).stream("Go.")

    assert whole == Named(**answer)
    names = list(Named.model_fields)
    assert [piece.model_fields_set for piece in partial] == [
        set(names[: number + 1]) for number in range(len(names) - 1)
    ]
    for piece in partial:
        for name in piece.model_fields_set:
            assert getattr(piece, name) == getattr(whole, name)


class Careful(BaseModel):
    """A model whose own code counts on all of its fields."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    name: str
    total: int = 7
    tags: list[str] = Field(default_factory=lambda: ["none"])
    _seen: list[int] = PrivateAttr(default_factory=list)

    def model_post_init(self, context: Any) -> None:
        self._seen.append(self.total + len(self.tags))

    @model_validator(mode="after")
    def _fits(self) -> Careful:
        if self.total < 0:
            msg = "the total is below 0"
            raise ValueError(msg)
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.total


def test_a_partial_model_has_no_defaults_and_runs_no_code_of_the_class(
    server: KimiServer, llm: ChatKimi
) -> None:
    server.script(say_json({"name": " Ada ", "total": 3, "tags": ["x"]}))

    *partial, whole = llm.with_structured_output(Careful).stream("Go.")

    assert whole == Careful(name="Ada", total=3, tags=["x"])
    assert [piece.model_fields_set for piece in partial] == [{"name"}, {"name", "total"}]
    first = partial[0]
    assert first.name == "Ada"
    assert first.model_dump(exclude={"twice"}) == {"name": "Ada"}
    assert copy.deepcopy(first) == first
    assert pickle.loads(pickle.dumps(first)) == first
    for name in ("total", "tags", "twice", "_seen"):
        with pytest.raises(AttributeError):
            getattr(first, name)


def test_partial_lists_hold_complete_items(server: KimiServer, llm: ChatKimi) -> None:
    answer = [{"name": f"City {number}", "people": number} for number in range(4)]
    server.script(say_json({"value": answer}))

    *partial, whole = llm.with_structured_output(list[Place]).stream("Go.")

    assert whole == [Place(**place) for place in answer]
    assert all(piece == whole[: len(piece)] for piece in partial)
    assert [len(piece) for piece in partial] == [1, 2, 3]


@pytest.mark.parametrize("method", METHODS)
def test_every_partial_dict_is_a_beginning(server: KimiServer, llm: ChatKimi, method: Any) -> None:
    answer = {"name": "Paris on the Seine", "people": 2_100_000}
    server.script(call("Place", answer) if method == "function_calling" else say_json(answer))

    pieces = list(llm.with_structured_output(PLAIN, method=method).stream("Go."))

    assert pieces[-1] == answer
    assert len(pieces) > 3
    assert all("Paris on the Seine".startswith(piece["name"]) for piece in pieces)


def test_the_cost_of_partial_answers_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in characters that are parsed, not in seconds."""
    from langchain_kimi.structured_output import partial

    parsed: list[int] = []
    parse = partial.from_json

    def counting(text: str, **options: Any) -> Any:
        parsed.append(len(text))
        return parse(text, **options)

    monkeypatch.setattr(partial, "from_json", counting)
    costs = []
    for items in (200, 400, 800):
        text = json.dumps({"value": [{"name": f"City {n}", "people": n} for n in range(items)]})
        for schema in (list[Place], {"title": "Any", "type": "object"}):
            parsed.clear()
            growing = partial.PartialAnswer(read_schema(schema))
            for start in range(0, len(text), 4):
                growing.feed(text[start : start + 4])
            costs.append(sum(parsed) / len(text))

    assert max(costs) < 60
    assert max(costs) < 1.5 * min(costs)


# --- in a chain -------------------------------------------------------------------------------


def test_it_stands_in_a_chain(server: KimiServer, llm: ChatKimi) -> None:
    server.respond_with(lambda body: say_json({**PARIS, "name": body["messages"][-1]["content"]}))
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{city}")])
    structured = llm.with_structured_output(Place)
    chain = prompt | structured | RunnableLambda(lambda place: place.name)

    assert chain.invoke({"city": "Rome"}) == "Rome"
    assert chain.batch([{"city": name} for name in "abcdef"]) == list("abcdef")
    assert list(chain.stream({"city": "Oslo"})) == ["Oslo"]
    assert structured.with_retry().invoke("Bonn").name == "Bonn"


@pytest.mark.parametrize("include_raw", [False, True])
def test_partial_answers_do_not_add_up_in_a_chain(
    server: KimiServer, llm: ChatKimi, include_raw: bool
) -> None:
    answer = [{"name": f"City {number}", "people": number} for number in range(4)]
    server.script(*[say_json({"value": answer})] * 2)
    structured = llm.with_structured_output(list[Place], include_raw=include_raw)
    count = RunnableLambda(lambda got: len(got["parsed"] if include_raw else got))

    assert list((structured | count).stream("Go.")) == [4]
    last = list(structured.stream("Go."))[-1]
    assert type(last["parsed"] if include_raw else last) is list


async def test_events_name_the_runnable(server: KimiServer, llm: ChatKimi) -> None:
    server.script(say_json(PARIS))

    events = [
        e async for e in llm.with_structured_output(Place).astream_events("Go.", version="v2")
    ]

    assert any(e["name"] == "structured_output(Place)" for e in events)
    assert any(e["event"] == "on_chat_model_stream" for e in events)
    assert events[-1]["event"] == "on_chain_end"


@pytest.mark.parametrize("include_raw", [False, True])
def test_the_format_is_told_to_tracers_and_not_to_the_server(
    server: KimiServer, llm: ChatKimi, include_raw: bool
) -> None:
    server.script(say_json(PARIS))

    llm.with_structured_output(Place, include_raw=include_raw).invoke("Go.")

    assert not [key for key in server.requests[0] if key.startswith("ls_")]


def test_the_usage_of_both_requests_is_counted(server: KimiServer, llm: ChatKimi) -> None:
    server.script(say('{"name": 7}'), say_json(PARIS))

    result = llm.with_structured_output(Place, include_raw=True).invoke("Go.")

    usage = result["raw"].usage_metadata
    only_second = ChatKimi(base_url=server.base_url, api_key="k")
    server.script(say_json(PARIS))
    single = only_second.invoke("Go.").usage_metadata
    only_second.close()
    assert usage is not None
    assert single is not None
    assert usage["output_tokens"] > single["output_tokens"]
    assert result["parsing_error"] is None
