"""The error hierarchy and the mapping from replies to errors."""

from __future__ import annotations

import copy
import json
import math
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core import exceptions as core
from langchain_core.messages import AIMessage

from langchain_kimi import errors
from langchain_kimi.errors import from_event, from_response, parse_retry_after, redact


def test_each_error_is_also_langchains() -> None:
    bases = {
        errors.KimiError: core.ModelError,
        errors.KimiAuthenticationError: core.ModelAuthenticationError,
        errors.KimiPermissionDeniedError: core.ModelPermissionDeniedError,
        errors.KimiQuotaExceededError: core.ModelPermissionDeniedError,
        errors.KimiNotFoundError: core.ModelNotFoundError,
        errors.KimiModelRetiredError: errors.KimiNotFoundError,
        errors.KimiBadRequestError: core.ModelInvalidRequestError,
        errors.KimiUnsupportedParameterError: errors.KimiBadRequestError,
        errors.KimiContextOverflowError: core.ContextOverflowError,
        errors.KimiRequestTooLargeError: errors.KimiBadRequestError,
        errors.KimiContentFilterError: core.ModelInvalidRequestError,
        errors.KimiRateLimitError: core.ModelRateLimitError,
        errors.KimiServerError: core.ModelAPIError,
        errors.KimiConnectionError: core.ModelConnectionError,
        errors.KimiTruncatedStreamError: core.ModelConnectionError,
        errors.KimiTimeoutError: core.ModelTimeoutError,
        errors.KimiEmptyReplyError: core.ModelError,
        errors.KimiToolChoiceError: core.ModelAPIError,
        errors.KimiStructuredOutputError: core.OutputParserException,
        errors.KimiTruncatedOutputError: errors.KimiStructuredOutputError,
        errors.KimiInvalidInputError: ValueError,
    }
    for cls, base in bases.items():
        assert issubclass(cls, base), cls
        assert issubclass(cls, errors.KimiError), cls
    defined = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.KimiError)
    }
    assert defined == set(bases)
    assert issubclass(errors.KimiContextOverflowError, errors.KimiBadRequestError)
    for cls in defined:
        assert cls.__name__ in (errors.__doc__ or "")


RETIRED = {
    "status": 404,
    "title": "Not Found",
    "detail": "Function '8d1c': Not found for account 'abc'",
}


def openai(message: str, kind: str = "", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, openai("Invalid Authentication", "invalid_authentication_error"), "Authentication"),
        (
            403,
            {"status": 403, "title": "Forbidden", "detail": "Authorization failed"},
            "Permission",
        ),
        (404, openai("The model `x` does not exist.", "NotFoundError", code=404), "NotFound"),
        (404, openai("Not found the model k", "resource_not_found_error"), "NotFound"),
        (404, RETIRED, "ModelRetired"),
        (410, {"status": 410, "title": "Gone"}, "ModelRetired"),
        (400, openai("max_tokens must be at least 1", "BadRequestError", code=400), "BadRequest"),
        (422, {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, "BadRequest"),
        (405, {"detail": "Method Not Allowed"}, "BadRequest"),
        (
            400,
            openai("considered high risk", "content_filter"),
            "ContentFilter",
        ),
        (400, openai("Your request exceeded model token limit: 262144"), "ContextOverflow"),
        (400, openai("This model's maximum context length is 8192 tokens."), "ContextOverflow"),
        (400, openai("too long", code="context_length_exceeded"), "ContextOverflow"),
        (
            400,
            openai("longer than the maximum model length of 8"),
            "ContextOverflow",
        ),
        (400, openai("prompt is too long: 9 tokens > 8 maximum"), "ContextOverflow"),
        (
            400,
            openai("input is longer than the model's context length"),
            "ContextOverflow",
        ),
        (413, openai("input exceeds the max tokens"), "ContextOverflow"),
        (413, openai("Request exceeds the maximum size"), "RequestTooLarge"),
        (429, {"status": 429, "title": "Too Many Requests"}, "RateLimit"),
        (429, openai("reached max request: 3", "rate_limit_reached_error"), "RateLimit"),
        (429, openai("overloaded, please try again", "engine_overloaded_error"), "RateLimit"),
        (429, openai("top up", "exceeded_current_quota_error"), "QuotaExceeded"),
        (
            429,
            openai("account x is suspended, check your plan and billing"),
            "QuotaExceeded",
        ),
        (402, {"detail": "credits"}, "QuotaExceeded"),
        (408, {}, "Timeout"),
        (409, {}, "Server"),
        (500, openai("Internal", "InternalServerError", code=500), "Server"),
        (503, "upstream connect error", "Server"),
        (504, "<html>Gateway Timeout</html>", "Server"),
        (529, {}, "Server"),
        (308, "", "NotFound"),
    ],
)
def test_replies_become_typed_errors(status: int, body: Any, kind: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    error = from_response(status, {}, text, "moonshot", url="https://h/v1/chat")
    assert type(error).__name__.startswith(f"Kimi{kind}")
    assert (error.status, error.endpoint) == (status, "moonshot")
    assert str(error).startswith(f"moonshot (https://h/v1/chat) answered {status}")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (openai("from moonshot"), "from moonshot"),
        ({"object": "error", "message": "from sglang", "type": "X", "code": 400}, "from sglang"),
        ({"status": 400, "title": "Bad Request", "detail": "from nvidia"}, "from nvidia"),
        ({"detail": "from fastapi"}, "from fastapi"),
        ({"detail": {"message": "nested"}}, "nested"),
        ({"detail": [{"loc": ["body", "n", 0], "msg": "is wrong"}]}, "body.n.0: is wrong"),
        ({"error": "a string"}, "a string"),
        ({"title": "only a title"}, "only a title"),
        ({"msg": "another name"}, "another name"),
        ({"unknown": "shape"}, '{"unknown": "shape"}'),
        ("no json", "no json"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_the_message_is_found_in_every_shape(body: Any, said: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert said in str(from_response(400, {}, text, "vllm"))


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (
            {"detail": "Validation: Unsupported parameter(s): `thinking`, `foo`"},
            ("thinking", "foo"),
        ),
        ({"detail": "Validation: Unsupported parameter(s): `tool_stream`"}, ("tool_stream",)),
        (openai("Unsupported parameter: 'seed'. Leave it out."), ("seed",)),
        (openai("Unrecognized request argument supplied: top_k"), ("top_k",)),
        (openai("no", "invalid_request_error", code="unsupported_parameter", param="n"), ("n",)),
        (openai("invalid temperature: only 1 is allowed for this model"), ("temperature",)),
        (openai("This model only supports single tool-calls at once!"), ("parallel_tool_calls",)),
        (
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "foo"], "msg": "Extra"}]},
            ("foo",),
        ),
    ],
)
def test_unsupported_parameters_are_named(body: Any, parameters: tuple[str, ...]) -> None:
    error = from_response(400, {}, json.dumps(body), "nvidia")
    assert isinstance(error, errors.KimiUnsupportedParameterError)
    assert error.parameters == parameters


def test_a_retired_model_names_the_ways_out() -> None:
    text = str(from_response(404, {}, json.dumps(RETIRED), "nvidia"))
    for words in ("gone", "not entitled", "may still show it", "model=", "base_url=", "moonshot"):
        assert words in text


@pytest.mark.parametrize("status", [401, 403])
def test_www_authenticate_speaks_where_the_body_does_not(status: int) -> None:
    said = 'Bearer realm="nvidia", error="invalid_token"'
    error = from_response(status, {"WWW-Authenticate": said}, "", "nvidia")
    assert said in str(error)


@pytest.mark.parametrize("name", ["X-Request-Id", "NVCF-REQID", "x-trace-id"])
def test_the_request_id_is_told(name: str) -> None:
    error = from_response(500, {name: "req-1"}, "", "nvidia")
    assert error.request_id == "req-1"
    assert "req-1" in str(error)


def test_the_request_id_of_a_body_is_told() -> None:
    assert from_response(500, {}, '{"requestId": "r"}', "nvidia").request_id == "r"


def test_only_what_may_pass_is_retryable() -> None:
    for status in range(300, 600):
        error = from_response(status, {}, "", None)
        assert error.is_retryable == (status in errors.TRANSIENT_STATUSES), status
    assert not from_response(
        429, {}, '{"error": {"type": "insufficient_quota"}}', None
    ).is_retryable
    assert errors.KimiServerError("x").is_retryable
    assert errors.KimiConnectionError("x").is_retryable
    assert not errors.KimiError("x").is_retryable


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize("usegmt", [True, False])
def test_retry_after_as_a_date(usegmt: bool) -> None:
    seconds = parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt))
    assert seconds is not None
    assert 100 < seconds <= 120


def test_retry_after_reaches_the_error() -> None:
    error = from_response(429, {"Retry-After": "7"}, "", "nvidia")
    assert error.retry_after == 7.0
    assert "wait 7 s" in str(error)


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        (openai("died", "InternalServerError", code=500), errors.KimiServerError, 500),
        (openai("no", "BadRequestError", code="400"), errors.KimiBadRequestError, 400),
        (openai("maximum context length is 9", code=400), errors.KimiContextOverflowError, 400),
        (openai("slow down", "rate_limit_reached_error"), errors.KimiRateLimitError, 429),
        (openai("pay", "exceeded_current_quota_error"), errors.KimiQuotaExceededError, 429),
        (openai("no", "invalid_request_error"), errors.KimiBadRequestError, 400),
        (openai("no", "invalid_authentication_error"), errors.KimiAuthenticationError, 401),
        (openai("high risk: considered high risk"), errors.KimiContentFilterError, None),
        (openai("something"), errors.KimiServerError, None),
        ({"error": "text"}, errors.KimiServerError, None),
        ({"object": "error", "message": "old", "code": 404}, errors.KimiNotFoundError, 404),
    ],
)
def test_error_events_become_typed_errors(
    event: dict[str, Any], kind: type[errors.KimiError], status: int | None
) -> None:
    error = from_event(event, "vllm", request_id="r")
    assert type(error) is kind
    assert (error.status, error.request_id, error.endpoint) == (status, "r", "vllm")
    assert "an error with status 200" in str(error)


KEYS = ["nvapi-AbC_123-xyz", "sk-proj-AbC123xyz", "plain-key-0123456789", "dXNl/cjpw+YXNz==", "k1"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "template",
    ["{}", "key={}", "Authorization: Bearer {}", "'{}' is wrong", "x {}\n{} y", "<{}>"],
)
def test_keys_are_replaced(key: str, template: str) -> None:
    assert key not in redact(template.replace("{}", key), [key])


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_replaced_however_they_are_written(key: str) -> None:
    slashed = json.dumps(key).replace("/", "\\/")
    for text in (json.dumps(json.dumps(slashed)), f"https://h/?key={quote(key, safe='')}&x=1"):
        shown = redact(text, [key])
        assert key not in shown.replace("\\", "")
        assert quote(key, safe="") not in shown


@pytest.mark.parametrize("text", ['Bearer realm="x", error="y"', "a task-list of risk-values"])
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text, ["", "k1"]) == text


def test_keys_are_replaced_before_the_body_is_cut() -> None:
    for length in range(errors.BODY_LIMIT - 40, errors.BODY_LIMIT + 5):
        error = from_response(400, {}, "x" * length + " " + KEYS[2], None, secrets=[KEYS[2]])
        assert "plain-key" not in str(error) + str(error.body)


def make(cls: type[errors.KimiError]) -> errors.KimiError:
    error = cls(
        "what happened",
        status=429,
        request_id="r",
        retry_after=1.5,
        endpoint="nvidia",
        body="text",
        partial=AIMessage("half"),
    )
    if isinstance(error, errors.KimiUnsupportedParameterError):
        error.parameters = ("thinking",)
    return error


def through_pickle(error: errors.KimiError) -> Any:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("cls", [errors.KimiError, *errors.KimiError.__subclasses__()])
@pytest.mark.parametrize(
    "duplicate", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy]
)
def test_errors_survive_copies(cls: type[errors.KimiError], duplicate: Any) -> None:
    for kind in (cls, *cls.__subclasses__()):
        error = make(kind)
        error.is_retryable = False
        twin = duplicate(error)
        assert type(twin) is kind
        assert (str(twin), vars(twin)) == (str(error), vars(error))


def test_errors_are_pickled_under_their_public_name() -> None:
    for cls in (errors.KimiError, *errors.KimiError.__subclasses__()):
        assert cls.__module__ == "langchain_kimi.errors"


SECRET = "nvapi-very/secret+key-0123456789"
WORDS = [
    SECRET,
    SECRET.replace("/", "\\/"),
    f"Bearer {SECRET}",
    "unsupported parameter: ",
    "maximum context length",
    "Function ",
    "extra_forbidden",
    "\x1b[2J",
    "9" * 5000,
]
TEXTS = st.text(max_size=8) | st.sampled_from(WORDS)
NAMES = ["error", "detail", "message", "type", "code", "status", "loc", "param", "requestId", "msg"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
        | inner.map(lambda value: {"detail": [value]})
    ),
    max_leaves=8,
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-Request-Id", "Location", "WWW-Authenticate"]), TEXTS
)


def said(error: errors.KimiError) -> str:
    return f"{error!s} {error!r} {error.args} {vars(error)}"


@given(status=st.integers(-1, 10**6), headers=HEADERS, body=JSON.map(json.dumps) | TEXTS)
def test_any_reply_becomes_an_error_of_bounded_text(
    status: int, headers: dict[str, str], body: str
) -> None:
    error = from_response(status, headers, body, "vllm", secrets=[SECRET])
    assert isinstance(error, errors.KimiError)
    assert error.status == status
    assert str(status) in str(error)
    assert SECRET not in said(error)
    assert "very/secret" not in said(error).replace("\\", "")
    assert "\x1b" not in str(error)
    assert len(str(error)) < 4000
    assert len(error.body or "") <= errors.BODY_LIMIT
    assert len(error.request_id or "") <= 200
    assert error.retry_after is None or error.retry_after >= 0


@given(event=st.dictionaries(st.sampled_from(NAMES), JSON), request_id=st.none() | TEXTS)
def test_any_event_becomes_an_error_of_bounded_text(
    event: dict[str, Any], request_id: str | None
) -> None:
    error = from_event(event, "vllm", request_id=request_id, secrets=[SECRET])
    assert isinstance(error, errors.KimiError)
    assert error.status is None or 400 <= error.status < 600
    assert SECRET not in said(error)
    assert "\x1b" not in str(error)
    assert len(str(error)) < 4000
    assert len(error.body or "") <= errors.BODY_LIMIT


@pytest.mark.parametrize(
    "detail",
    [
        [{"loc": None, "msg": "is wrong"}],
        [{"loc": 5, "msg": "is wrong"}],
        [{"loc": {"a": 1}, "msg": "is wrong", "type": "extra_forbidden"}],
        [{"loc": [], "msg": "is wrong", "type": ["extra_forbidden"]}],
        [{"loc": ["body", None], "msg": "is wrong"}],
        ["is wrong"],
    ],
)
def test_odd_validation_errors_are_read(detail: list[Any]) -> None:
    error = from_response(422, {}, json.dumps({"detail": detail}), "vllm")
    assert type(error) is errors.KimiBadRequestError
    assert "is wrong" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        openai("sorry", code="9" * 5000),
        openai("sorry", code="٤٠٤"),
        openai("sorry", code=[1], type={"a": 1}, param=3),
        {"message": ["what"], "detail": "sorry"},
        {"error": [1], "msg": "sorry"},
    ],
)
def test_fields_of_odd_types_are_passed_over(body: Any) -> None:
    error = from_response(400, {}, json.dumps(body), "vllm")
    assert type(error) is errors.KimiBadRequestError
    assert "sorry" in str(error)


def test_a_body_nested_without_end_is_told_as_it_is() -> None:
    deep = '{"detail":' * 900 + "1" + "}" * 900
    assert '{"detail":{"detail"' in str(from_response(400, {}, deep, "vllm"))


HOSTILE = [
    "unknown parameter" + " " * 500_000 + ".",
    "unknown parameter\n" * 30_000,
    "prompt is too long " * 30_000,
    "Function " * 60_000,
    "invalid x: only " * 30_000,
    "invalid " + "x" * 500_000,
    "account " * 60_000,
    "exceed" * 80_000,
    "Bearer " * 80_000,
    "Bearer" + " " * 500_000,
    "sk-" * 170_000,
    "\\" * 500_000,
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_server_holds_up_the_caller(text: str) -> None:
    """Each of these once took minutes: the time grew with the square of the length."""
    for status in (400, 403, 404, 429, 500):
        body = json.dumps(openai(text, text[:50_000], code=status, param=text))
        secrets = [SECRET, "+starts-with-a-sign"]
        error = from_response(status, {"Retry-After": text}, body, "vllm", secrets=secrets)
        assert error.status == status
        assert from_event(openai(text, code=status), "vllm").status == status


@pytest.mark.parametrize("where", ["text", "type"])
def test_what_stands_far_behind_is_not_read(where: str) -> None:
    for gap, kind in ((10, errors.KimiContextOverflowError), (5000, errors.KimiBadRequestError)):
        words = "x" * gap + " maximum context"
        body = openai(words) if where == "text" else openai("no", words)
        assert type(from_response(400, {}, json.dumps(body), "vllm")) is kind


@pytest.mark.parametrize(
    "value",
    [
        "1e999",
        "9" * 5000,
        "Mon, 99999999999999999999 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -9999",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
    ],
)
def test_an_absurd_retry_after_asks_for_nothing(value: str) -> None:
    assert parse_retry_after(value) is None
    assert from_response(429, {"Retry-After": value}, "", "vllm").retry_after is None


@given(st.text())
def test_any_retry_after_is_read(value: str) -> None:
    seconds = parse_retry_after(value)
    assert seconds is None or 0 <= seconds < math.inf


@pytest.mark.parametrize("source", ["header", "body", "event"])
def test_request_ids_are_cleaned(source: str) -> None:
    given_id = f"id\r\n\x1b[31m {SECRET} " + "x" * 5000
    body = {"requestId": given_id, "error": {"message": "no"}}
    if source == "event":
        error = from_event(body, "vllm", secrets=[SECRET])
    else:
        headers = {"X-Request-Id": given_id} if source == "header" else {}
        error = from_response(500, headers, json.dumps(body), "vllm", secrets=[SECRET])
    assert error.request_id is not None
    assert error.request_id.startswith("id[31m ********** xxx")
    assert len(error.request_id) == 200


def test_a_key_split_by_control_characters_is_not_put_together() -> None:
    split = SECRET[:9] + "\x00" + SECRET[9:]
    error = from_response(400, {"x-request-id": split}, split, "vllm", secrets=[SECRET])
    assert SECRET not in f"{error} {error.request_id}"


def test_parameter_names_are_cleaned() -> None:
    names = [f"a\x1b[2J{SECRET}", "b" * 5000, *(f"p{number}" for number in range(500))]
    detail = [{"type": "extra_forbidden", "loc": ["body", name], "msg": "no"} for name in names]
    lists = {"detail": detail}
    alone = openai("no", "unsupported", param=f"\x1b{SECRET}" + "c" * 5000)
    for body in (lists, alone):
        error = from_response(400, {}, json.dumps(body), "vllm", secrets=[SECRET])
        assert isinstance(error, errors.KimiUnsupportedParameterError)
        assert 1 <= len(error.parameters) <= 20
        for name in error.parameters:
            assert 0 < len(name) <= 200
            assert name.isprintable()
            assert SECRET not in name


def test_a_long_key_is_not_shown_where_the_text_is_cut() -> None:
    key = "".join(f"{number:04x}" for number in range(500))
    for shift in range(0, 2000, 97):
        text = "x" * shift + f"{key} " * 40
        error = from_response(400, {}, text, "vllm", secrets=[key])
        assert "0001000200030004" not in f"{error} {error.body}"
