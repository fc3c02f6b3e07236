"""The error hierarchy and the mapping from replies to errors."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

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
    assert "inside the stream" in str(error)


KEYS = ["nvapi-AbC_123-xyz", "sk-proj-AbC123xyz", "plain-key-0123456789", "k1"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "template",
    ["{}", "key={}", "Authorization: Bearer {}", "'{}' is wrong", "x {}\n{} y", "<{}>"],
)
def test_keys_are_replaced(key: str, template: str) -> None:
    assert key not in redact(template.replace("{}", key), [key])


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "detail", "message", "type", "code", "status", "loc", "param"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(status=st.integers(100, 999), body=JSON)
def test_any_body_gives_an_error_that_tells_the_status(status: int, body: Any) -> None:
    error = from_response(status, {}, json.dumps(body), "vllm")
    assert error.status == status
    assert str(status) in str(error)
    assert isinstance(from_event({"error": body}, "vllm"), errors.KimiError)
