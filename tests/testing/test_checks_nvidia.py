"""What NVIDIA's endpoint refuses."""

import pytest

from .client import chat, request, tool

pytestmark = pytest.mark.kimi(dialect="nvidia", retired_models=["moonshotai/kimi-k2-instruct"])


@pytest.mark.parametrize(
    "field", ["thinking", "enable_thinking", "response_format", "nvext", "guided_json", "n"]
)
def test_unknown_fields_are_named(kimi_server, field):
    answer = chat(kimi_server, **{field: 1})

    assert answer.json == {
        "error": {
            "message": f"Validation: Unsupported parameter(s): `{field}`",
            "type": "Bad Request",
            "code": 400,
        }
    }


def test_all_unknown_fields_are_named_at_once(kimi_server):
    answer = chat(kimi_server, top_k=1, user="me")

    assert answer.error == "Validation: Unsupported parameter(s): `top_k`, `user`"


@pytest.mark.kimi(dialect="nvidia", accepts=["response_format"])
def test_a_server_may_be_set_to_take_more_fields(kimi_server):
    assert chat(kimi_server, response_format={"type": "json_object"}).status == 200


def test_reasoning_effort_is_for_kimi_k3(kimi_server):
    assert chat(kimi_server, reasoning_effort="low").status == 400
    k3 = {"model": "moonshotai/kimi-k3", "reasoning_effort": "low"}
    assert chat(kimi_server, **k3).status == 200


@pytest.mark.parametrize(("tokens", "status"), [(1, 200), (65_536, 200), (65_537, 400), (0, 400)])
def test_max_tokens_has_bounds(kimi_server, tokens, status):
    assert chat(kimi_server, max_tokens=tokens).status == status


def test_parallel_calls_are_refused(kimi_server):
    answer = chat(kimi_server, parallel_tool_calls=True, tools=[tool("f")])

    assert answer.error == "This model only supports single tool-calls at once!"
    assert chat(kimi_server, parallel_tool_calls=False).status == 200


@pytest.mark.kimi(dialect="nvidia", parallel_tool_calls=True)
def test_a_server_may_be_set_to_take_parallel_calls(kimi_server):
    assert chat(kimi_server, parallel_tool_calls=True).status == 200


@pytest.mark.parametrize("role", ["system", "assistant", "tool"])
def test_content_lists_are_for_the_user(kimi_server, role):
    listed = {"role": role, "content": [{"type": "text", "text": "a"}]}

    answer = chat(kimi_server, messages=[{"role": "user", "content": "a"}, listed])

    assert answer.status == 400
    assert "object list format" in answer.error


def test_a_retired_model_is_still_listed(kimi_server):
    answer = chat(kimi_server, model="moonshotai/kimi-k2-instruct")

    assert answer.status == 404
    assert answer.json["title"] == "Not Found"
    assert "Not found for account" in answer.json["detail"]
    listed = [model["id"] for model in request(kimi_server, "/v1/models").json["data"]]
    assert "moonshotai/kimi-k2-instruct" in listed


def test_an_unknown_model_is_a_problem_document(kimi_server):
    answer = chat(kimi_server, model="nobody/nothing")

    assert answer.status == 404
    assert answer.json["status"] == 404
    assert answer.headers["Content-Type"].startswith("application/problem+json")
