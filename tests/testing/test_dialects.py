"""What is peculiar to one dialect."""

import pytest

from langchain_kimi.testing import call, say, think, turn

from .client import chat, request, stream, tool

NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.kimi(dialect="moonshot")
def test_moonshot_usage_rides_on_the_last_choice(kimi_server):
    kimi_server.script(say("Yes."))

    last = stream(kimi_server).events[-2]

    assert last["choices"][0]["finish_reason"] == "stop"
    usage = last["choices"][0]["usage"]
    assert usage["cached_tokens"] == 0
    assert usage["completion_tokens"] == 1


@pytest.mark.kimi(dialect="moonshot")
def test_moonshot_counts_a_known_prefix_as_cached(kimi_server):
    first = [{"role": "user", "content": "x" * 400}]
    more = [*first, {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]

    assert chat(kimi_server, messages=first).json["usage"]["cached_tokens"] == 0
    assert chat(kimi_server, messages=more).json["usage"]["cached_tokens"] == 104


@pytest.mark.kimi(dialect="moonshot")
def test_moonshot_calls_carry_an_index_and_trace_ids_are_sent(kimi_server):
    kimi_server.script(call("f"))

    answer = chat(kimi_server)

    assert answer.message["tool_calls"][0]["index"] == 0
    assert answer.headers["x-request-id"]
    assert answer.headers["x-trace-id"]


@pytest.mark.kimi(dialect="vllm")
def test_vllm_reports_reasoning_tokens_and_all_fields(kimi_server):
    kimi_server.script(turn(think("12345678"), say("a")))

    reply = chat(kimi_server).json

    assert reply["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert reply["usage"]["prompt_tokens_details"] is None
    assert reply["choices"][0]["message"]["tool_calls"] == []
    assert reply["choices"][0]["stop_reason"] is None


@pytest.mark.kimi(dialect="vllm")
def test_vllm_streams_extra_keys_and_an_empty_last_delta(kimi_server):
    kimi_server.script(say("a"))

    first, *_, last = stream(kimi_server).events[:-1]

    assert first["prompt_token_ids"] is None
    assert "token_ids" in first["choices"][0]
    assert last["choices"][0]["delta"] == {}
    assert last["choices"][0]["stop_reason"] is None


@pytest.mark.kimi(dialect="vllm")
@pytest.mark.parametrize(
    "switch", [{"chat_template_kwargs": {"enable_thinking": False}}, {"reasoning_effort": "none"}]
)
def test_vllm_leaks_thoughts_when_only_the_parser_is_off(kimi_server, switch):
    kimi_server.script(*[turn(think("secret"), say("Yes."))] * 2)

    message = chat(kimi_server, **switch).message

    assert message["content"] == "secret</think>Yes."
    assert message["reasoning"] is None
    assert stream(kimi_server, **switch).text("content") == "secret</think>Yes."


@pytest.mark.kimi(dialect="vllm")
def test_vllm_ends_a_call_forced_by_name_with_stop(kimi_server):
    kimi_server.script(call("f"))

    reply = chat(kimi_server, tools=[tool("f")], tool_choice=NAMED)

    assert reply.json["choices"][0]["finish_reason"] == "stop"
    assert reply.message["content"] == ""
    assert reply.message["tool_calls"][0]["function"]["name"] == "f"


@pytest.mark.kimi(dialect="vllm")
def test_vllm_ignores_what_it_does_not_know(kimi_server):
    kimi_server.script(turn(think("t"), say("a")))

    reply = chat(kimi_server, guided_json={}, nvext={}, thinking={"type": "disabled"})

    assert reply.message["reasoning"] == "t"


@pytest.mark.kimi(dialect="sglang")
def test_sglang_deltas_have_all_keys(kimi_server):
    kimi_server.script(turn(think("t"), say("a"), call("f", x=1)))

    answer = stream(kimi_server)

    keys = {"role", "content", "reasoning_content", "tool_calls"}
    assert all(delta.keys() == keys for delta in answer.deltas)
    assert all(event["usage"] is None for event in answer.events[:-1])


@pytest.mark.kimi(dialect="sglang")
def test_sglang_names_the_token_that_ended_the_reply(kimi_server):
    kimi_server.script(say("a"))

    assert chat(kimi_server).json["choices"][0]["matched_stop"] == 163586


@pytest.mark.kimi(dialect="nvidia")
def test_nvidia_sends_the_function_services_headers(kimi_server):
    kimi_server.script(say("a"))

    answer = chat(kimi_server)

    assert answer.headers["NVCF-REQID"]
    assert answer.headers["NVCF-STATUS"] == "fulfilled"


@pytest.mark.kimi(dialect="vllm", context_window=5000)
def test_vllm_tokenizes_as_its_usage_counts(kimi_server):
    messages = [{"role": "user", "content": "Count these words, please."}]
    kimi_server.script(say("a"))

    counted = request(kimi_server, "/tokenize", {"messages": messages, "tools": [tool("f")]}).json
    used = chat(kimi_server, messages=messages, tools=[tool("f")]).json["usage"]

    assert counted["count"] == len(counted["tokens"]) == used["prompt_tokens"]
    assert counted["max_model_len"] == 5000


@pytest.mark.kimi(dialect="vllm")
def test_vllm_tokenizes_a_prompt(kimi_server):
    counted = request(kimi_server, "/tokenize", {"prompt": "12345678x"}).json

    assert counted["count"] == 3


@pytest.mark.kimi(dialect="moonshot")
def test_moonshot_estimates_tokens_as_its_usage_counts(kimi_server):
    messages = [{"role": "user", "content": "Count these words, please."}]
    kimi_server.script(say("a"))

    path = "/v1/tokenizers/estimate-token-count"
    estimated = request(kimi_server, path, {"model": "kimi-k2.6", "messages": messages}).json

    used = chat(kimi_server, messages=messages).json["usage"]
    assert estimated == {"data": {"total_tokens": used["prompt_tokens"]}}


@pytest.mark.kimi(dialect="sglang")
def test_routes_of_other_dialects_are_unknown(kimi_server):
    assert request(kimi_server, "/tokenize", {"prompt": "a"}).status == 404
