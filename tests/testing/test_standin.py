"""The stand-in, in conversations with tools that do real work on real files."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Call
from langchain_kimi.testing.standin import stand_in_turn

from .client import chat, tool
from .pictures import data_url, picture_message, png

CASES = Path(__file__).parents[3] / "shared" / "data" / "walle"
NAME = "Stand-in (no model)"
STRING = {"type": "string"}
INTEGER = {"type": "integer"}
PYPROJECT = """\
[build-system]
requires = ["hatchling"]

[project]
name = "weather-station"
description = "Reads the sensors of a weather station."
requires-python = ">=3.11,<3.14"
license = "MIT"
dependencies = ["aiohttp", "pydantic"]
classifiers = [
  "Programming Language :: Python :: 3.11",
  "Programming Language :: Python :: 3.12",
]
[tool.ruff]
line-length = 100
"""
README = """\
# Weather station

Reads temperature and wind, and stores them once a minute.
The project began in 2019.
"""
SENSOR = """\
class WindSensor:
    def read_speed(self):
        return 3


def main():
    print(WindSensor().read_speed())
"""
LIST = tool("list_files", "List the files of a directory.", path=STRING)
READ = tool("read_file", "Read a text file.", path=STRING)
SEARCH = tool("search_files", "Search all files for a regular expression.", pattern=STRING)
WRITE = tool("write_file", "Write a text to a file.", path=STRING, content=STRING)
FILE_TOOLS = [LIST, READ, SEARCH, WRITE]
WEATHER = tool("get_weather", "Get the weather in a city.", city=STRING)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "station").mkdir()
    (tmp_path / "station" / "sensor.py").write_text(SENSOR)
    return tmp_path


class Agent:
    """The plainest agent loop: ask, run the tools, ask again."""

    def __init__(self, server, root):
        self.server = server
        self.root = root
        self.messages = []
        self.calls = []

    def ask(self, question, tools=FILE_TOOLS, **fields):
        self.calls = []
        self.messages.append({"role": "user", "content": question})
        for _ in range(10):
            message = chat(self.server, messages=self.messages, tools=tools, **fields).message
            made = message.get("tool_calls") or []
            self.messages.append({**message, "tool_calls": made})
            if not made:
                return message["content"]
            for one in made:
                name = one["function"]["name"]
                arguments = json.loads(one["function"]["arguments"])
                self.calls.append((name, arguments))
                result = {"role": "tool", "tool_call_id": one["id"]}
                self.messages.append({**result, "content": self.run(name, arguments)})
        msg = f"no answer after {self.calls}"
        raise AssertionError(msg)

    def run(self, name, arguments):
        try:
            return str(getattr(self, name)(**arguments))
        except (OSError, TypeError) as problem:
            return f"Error: {problem!r}"

    def list_files(self, path):
        return "\n".join(sorted(entry.name for entry in (self.root / path).iterdir()))

    def read_file(self, path):
        return (self.root / path).read_text()

    def search_files(self, pattern):
        found = [
            f"{file.relative_to(self.root)}:{number}: {line}"
            for file in sorted(self.root.rglob("*.*"))
            for number, line in enumerate(file.read_text().splitlines(), 1)
            if re.search(pattern, line)
        ]
        return "\n".join(found) or "No matches."

    def write_file(self, path, content):
        return (self.root / path).write_text(content)

    def get_weather(self, city):
        return f"Sunny in {city}, 21 degrees."

    def magic_function(self, input):
        return input + 2

    def add(self, a, b):
        return a + b


@pytest.fixture
def agent(kimi_server, root):
    return Agent(kimi_server, root)


def test_it_names_itself_and_never_pretends(kimi_server):
    reply = chat(kimi_server)

    assert reply.message["content"].startswith(f"{NAME}: ")
    assert reply.json["system_fingerprint"] == "stand-in (no model)"
    assert reply.message["reasoning"]


def test_it_reads_the_file_that_the_question_names(agent):
    answer = agent.ask("Which Python versions does pyproject.toml support?")

    assert agent.calls == [("read_file", {"path": "pyproject.toml"})]
    assert answer.startswith(f"{NAME}: ")
    assert 'requires-python = ">=3.11,<3.14"' in answer
    assert "line-length" not in answer


def test_it_says_what_it_looks_for(agent):
    agent.ask("Which Python versions does pyproject.toml support?")

    thoughts = agent.messages[1]["reasoning"]
    assert "Python" in thoughts
    assert "read_file" in thoughts


def test_it_searches_for_what_programs_define(agent):
    answer = agent.ask("Where is WindSensor defined?")

    assert agent.calls == [("search_files", {"pattern": "WindSensor"})]
    assert "station/sensor.py:1: class WindSensor:" in answer


def test_it_lists_then_reads(agent):
    answer = agent.ask("What does this project do?")

    assert agent.calls == [("list_files", {"path": "."}), ("read_file", {"path": "README.md"})]
    assert "Reads temperature and wind" in answer


def test_it_lists_a_named_folder(agent):
    answer = agent.ask("List the files in the station folder")

    assert agent.calls == [("list_files", {"path": "station"})]
    assert "sensor.py" in answer


def test_it_looks_up_a_question_for_want_of_better(agent):
    answer = agent.ask("How many dependencies are there?")

    assert agent.calls == [("search_files", {"pattern": "dependencies"})]
    assert '["aiohttp", "pydantic"]' in answer


def test_it_reads_several_files_in_parallel(agent):
    agent.ask("Compare the name in README.md and pyproject.toml")

    wanted = [("read_file", {"path": "README.md"}), ("read_file", {"path": "pyproject.toml"})]
    assert agent.calls == wanted
    assert len(agent.messages[1]["tool_calls"]) == 2


@pytest.mark.parametrize("fields", [{"parallel_tool_calls": False}])
def test_it_calls_one_by_one_when_told(agent, fields):
    agent.ask("Compare the name in README.md and pyproject.toml", **fields)

    assert len(agent.calls) == 2
    assert len(agent.messages[1]["tool_calls"]) == 1


@pytest.mark.kimi(dialect="nvidia")
def test_it_calls_one_by_one_on_nvidia(agent):
    agent.ask("What is the weather in Paris and London?", [WEATHER])

    assert agent.calls == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "London"})]
    assert len(agent.messages[1]["tool_calls"]) == 1


def test_it_asks_about_every_place(agent):
    answer = agent.ask("What is the weather in Paris and London?", [*FILE_TOOLS, WEATHER])

    assert agent.calls == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "London"})]
    assert "Sunny in Paris" in answer
    assert "Sunny in London" in answer


def test_it_follows_up_on_an_earlier_file(agent):
    agent.ask("What is the name in pyproject.toml?")

    answer = agent.ask("And which license does it have?")

    assert 'license = "MIT"' in answer


def test_it_reports_a_tool_that_fails(agent):
    answer = agent.ask("Read notes.md and tell me the deadline")

    assert agent.calls[0] == ("read_file", {"path": "notes.md"})
    assert "gave no answer: Error: FileNotFoundError" in answer


@pytest.mark.parametrize(
    "question",
    [
        "Which Python versions does pyproject.toml support?",
        "Read notes.md and tell me the deadline",
        "Where is nothing_at_all defined, in the station folder or in README.md?",
        "Search, list, read and find everything about unicorns in pyproject.toml!",
    ],
)
def test_it_never_repeats_a_call_and_comes_to_an_end(agent, question):
    answer = agent.ask(question)

    assert len({json.dumps(made) for made in agent.calls}) == len(agent.calls)
    assert answer.startswith(NAME)


@pytest.mark.parametrize("question", ["Hello!", "Thank you.", "Tell me a joke about cats."])
def test_small_talk_calls_nothing(agent, question):
    agent.ask(question)

    assert agent.calls == []


def test_it_changes_nothing_unless_told(agent):
    agent.ask("What is in README.md?")
    assert "write_file" not in {name for name, _ in agent.calls}

    agent.ask('Write "it is done" to notes.txt')
    assert agent.calls[0] == ("write_file", {"path": "notes.txt", "content": "it is done"})


@pytest.mark.parametrize("choice", ["none", None])
def test_it_calls_nothing_when_it_may_not(kimi_server, choice):
    fields = {"tools": [READ], "tool_choice": choice} if choice else {}
    messages = [{"role": "user", "content": "Read README.md"}]

    message = chat(kimi_server, messages=messages, **fields).message

    assert not message["tool_calls"]


@pytest.mark.parametrize(
    ("question", "declared", "calls"),
    [
        (
            "What is the value of magic_function(3)? Use the tool.",
            tool("magic_function", "Applies a magic function.", input=INTEGER),
            [("magic_function", {"input": 3})],
        ),
        (
            "What is 3 + 5? Add them.",
            tool("add", "Adds two integers.", a=INTEGER, b=INTEGER),
            [("add", {"a": 3, "b": 5})],
        ),
        (
            "What is the weather in San Francisco, CA?",
            tool("get_weather", "", city=STRING),
            [("get_weather", {"city": "San Francisco, CA"})],
        ),
    ],
    ids=["number", "two numbers", "place"],
)
def test_arguments_come_from_the_words(agent, question, declared, calls):
    agent.ask(question, [declared])

    assert agent.calls == calls


def arguments(server, question, properties, required=None, **fields):
    declared = tool("do_it", "Do it.", **properties)
    if required is not None:
        declared["function"]["parameters"]["required"] = required
    choice = {"type": "function", "function": {"name": "do_it"}}
    messages = [{"role": "user", "content": question}]
    reply = chat(server, messages=messages, tools=[declared], tool_choice=choice, **fields)
    made = json.loads(reply.message["tool_calls"][0]["function"]["arguments"])
    jsonschema.validate(made, declared["function"]["parameters"])
    return made


@pytest.mark.parametrize(
    ("question", "properties", "wanted"),
    [
        ("Fetch https://example.com/a?b=1.", {"url": STRING}, {"url": "https://example.com/a?b=1"}),
        ("Mail ada@example.org", {"email": STRING}, {"email": "ada@example.org"}),
        ("Since 2026-01-31", {"date": STRING}, {"date": "2026-01-31"}),
        ("Find *.py here", {"glob": STRING}, {"glob": "*.py"}),
        ("What is (3 + 4) * 2?", {"expression": STRING}, {"expression": "(3 + 4) * 2"}),
        ("Run `ls -la` now", {"command": STRING}, {"command": "ls -la"}),
        (
            "Paint it blue",
            {"color": {"type": "string", "enum": ["red", "blue"]}},
            {"color": "blue"},
        ),
        ("Do it without a backup", {"backup": {"type": "boolean"}}, {"backup": False}),
        ("Do it with a backup", {"backup": {"type": "boolean"}}, {"backup": True}),
        ("Take 7", {"n": {"type": "integer", "minimum": 5, "maximum": 9}}, {"n": 7}),
        ("Take 1.5", {"n": {"type": "number"}}, {"n": 1.5}),
        ("Sum 1, 2 and 3", {"values": {"type": "array", "items": INTEGER}}, {"values": [1, 2, 3]}),
        (
            "Read a.md and b.md",
            {"paths": {"type": "array", "items": STRING}},
            {"paths": ["a.md", "b.md"]},
        ),
        (
            "Ada Lovelace is 36",
            {"person": {"type": "object", "properties": {"name": STRING, "age": INTEGER}}},
            {"person": {"name": "Ada Lovelace", "age": 36}},
        ),
        (
            "Take 3",
            {"n": {"anyOf": [{"type": "null"}, INTEGER]}},
            {"n": 3},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_of_every_kind(kimi_server, question, properties, wanted):
    assert arguments(kimi_server, question, properties) == wanted


def test_optional_parameters_need_words_of_their_own(kimi_server):
    properties = {"path": STRING, "limit": INTEGER}

    assert arguments(kimi_server, "Read a.md", properties, ["path"]) == {"path": "a.md"}
    with_limit = arguments(kimi_server, "Read a.md, 20 lines", properties, ["path"])
    assert with_limit == {"path": "a.md", "limit": 20}


def test_a_forced_call_has_arguments_whatever_the_words(kimi_server):
    made = arguments(kimi_server, "Hello!", {"path": STRING, "n": INTEGER})

    assert made == {"path": "stand-in path", "n": 1}


def structured(server, question, schema, **fields):
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    messages = [{"role": "user", "content": question}]
    reply = chat(server, messages=messages, response_format=wanted, **fields)
    value = json.loads(reply.message["content"])
    jsonschema.validate(value, schema)
    return value


@pytest.mark.parametrize("dialect", ["vllm", "sglang", "moonshot"])
def test_it_fills_the_schema_of_the_answer(kimi_server_factory, dialect):
    schema = {
        "type": "object",
        "properties": {
            "name": STRING,
            "age": INTEGER,
            "city": STRING,
            "mood": {"type": "string", "enum": ["good", "bad"]},
            "remarks": {"type": "array", "items": STRING, "minItems": 1},
        },
        "required": ["name", "age", "city", "mood", "remarks"],
    }
    text = "Ada Lovelace, 36, lives in London and has a bad day."

    value = structured(kimi_server_factory(dialect), text, schema)

    assert (value["name"], value["age"], value["city"]) == ("Ada Lovelace", 36, "London")
    assert value["mood"] == "bad"


def test_it_fills_every_schema_that_kimi_takes():
    files = sorted(CASES.glob("*/valid.jsonl"))
    if not files:
        pytest.skip("Moonshot's schema cases are not on this machine")
    schemas = [json.loads(line) for file in files for line in file.read_text().splitlines() if line]
    for schema in schemas:
        if schema.get("minLength", 0) > 10_000:
            continue  # nobody wants a string of a billion characters
        wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        body = {"messages": [{"role": "user", "content": "Ada is 3"}], "response_format": wanted}

        filled = json.loads(stand_in_turn(ChatRequest(body)).parts[-1].text)

        jsonschema.Draft202012Validator(schema).validate(filled)


@given(text=st.text(max_size=200), result=st.text(max_size=200))
def test_any_text_gets_an_answer(text, result):
    call_made = {"id": "a", "function": {"name": "read_file", "arguments": text}}
    messages = [
        {"role": "user", "content": text},
        {"role": "assistant", "tool_calls": [call_made]},
        {"role": "tool", "tool_call_id": "a", "content": result},
    ]

    turn = stand_in_turn(ChatRequest({"messages": messages, "tools": FILE_TOOLS}))

    last = turn.parts[-1]
    assert isinstance(last, Call) or last.text.startswith(NAME)


def test_what_it_must_make_up_names_it(kimi_server):
    schema = {"type": "object", "properties": {"punchline": STRING}, "required": ["punchline"]}

    assert structured(kimi_server, "tell a joke", schema)["punchline"].startswith(NAME)


def test_any_object_will_do_for_json_object(kimi_server):
    reply = chat(kimi_server, response_format={"type": "json_object"})

    assert json.loads(reply.message["content"])["answer"].startswith(NAME)


def test_a_structured_answer_comes_after_the_tools(agent):
    schema = {
        "type": "object",
        "properties": {"answer": STRING},
        "required": ["answer"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}

    answer = agent.ask("What is the license in pyproject.toml?", response_format=wanted)

    assert agent.calls == [("read_file", {"path": "pyproject.toml"})]
    assert 'license = "MIT"' in json.loads(answer)["answer"]


def test_a_tool_made_of_a_class_takes_the_answer(agent):
    report = tool("Report", "The final report.", summary=STRING)
    agent.Report = lambda summary: summary

    question = "What is the license in pyproject.toml?"
    agent.messages = [{"role": "user", "content": question}]
    names = []
    for _ in range(2):
        fields = {"tools": [READ, report], "tool_choice": "required"}
        message = chat(agent.server, messages=agent.messages, **fields).message
        agent.messages.append(message)
        made = message["tool_calls"][0]
        names.append(made["function"]["name"])
        result = agent.run(names[-1], json.loads(made["function"]["arguments"]))
        answer = {"role": "tool", "tool_call_id": made["id"], "content": result}
        agent.messages.append(answer)

    assert names == ["read_file", "Report"]


def test_it_cannot_see_and_says_so(kimi_server):
    message = chat(kimi_server, messages=[picture_message(data_url(png(640, 480)))]).message

    assert "640x480" in message["content"]
    assert "cannot see" in message["content"]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "Be kind."}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": "你好 世界"}],
        [{"role": "user", "content": "?" * 5000}],
        [{"role": "assistant", "content": "a"}],
    ],
)
def test_odd_conversations_get_an_answer(kimi_server, messages):
    message = chat(kimi_server, messages=messages, tools=FILE_TOOLS).message

    assert message["content"] is None or message["content"].startswith(NAME)


@pytest.mark.parametrize(
    "function",
    [
        {"name": "f"},
        {"name": "f", "parameters": None},
        {"name": "f", "parameters": {}},
        {"name": "f", "parameters": {"type": "object", "properties": {"x": {}}}},
        {"name": "f", "parameters": {"$ref": "#"}},
    ],
)
def test_odd_tools_can_be_called(kimi_server, function):
    fields = {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}

    made = chat(kimi_server, **fields).message["tool_calls"]

    assert made[0]["function"]["name"] == "f"
