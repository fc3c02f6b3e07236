"""The stand-in as the leader of sub-agents: it hands the parts out and puts together what comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Call, Say
from langchain_kimi.testing.standin import stand_in_turn
from langchain_kimi.testing.standin.parts import Parts, parts_of

from .client import tool

STRING = {"type": "string"}
LIST = {"type": "array", "items": STRING}
SWARM = tool("agent_swarm", "Start one for each.", prompt_template=STRING, items=LIST)
ASSIGN = tool("assign_task", "Give a task.", agent=STRING, prompt=STRING)
CREATE = tool("create_subagent", "Define one.", system_prompt=STRING)
READ = tool("read_file", "Read a text file.", path=STRING)
ARTIFACTS = [tool("read_artifact", "Open a file.", path=STRING), tool("list_artifacts", "List.")]


class Leader:
    """A conversation with the stand-in, whose calls the test answers."""

    def __init__(self, task, tools, **options):
        self.messages = [{"role": "user", "content": task}]
        self.tools = tools
        self.options = options

    def turn(self):
        request = ChatRequest({"messages": self.messages, "tools": self.tools})
        return stand_in_turn(request, **self.options)

    def calls(self):
        return [(p.name, dict(p.arguments)) for p in self.turn().parts if isinstance(p, Call)]

    def says(self):
        return "".join(part.text for part in self.turn().parts if isinstance(part, Say))

    def answer(self, *texts):
        made = [
            {"id": f"c{n}", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for n, (name, arguments) in enumerate(self.calls())
        ]
        self.messages.append({"role": "assistant", "content": "", "tool_calls": made})
        for one, text in zip(made, texts, strict=True):
            self.messages.append({"role": "tool", "tool_call_id": one["id"], "content": text})


@pytest.mark.parametrize(
    ("task", "template", "items"),
    [
        (
            "Say what each of README.md, docs/a.md and LICENSE is about",
            "Read {{item}}. Say what each of {{item}} is about",
            ["README.md", "docs/a.md", "LICENSE"],
        ),
        (
            "Find out:\n- which licence it has\n- who wrote it",
            "Find out:\n\n{{item}}",
            ["which licence it has", "who wrote it"],
        ),
        (
            "What is the population of Oslo? Which river crosses Rome?",
            "{{item}}",
            ["What is the population of Oslo?", "Which river crosses Rome?"],
        ),
        ("Compare Paris, New York and Rome.", "Compare {{item}}.", ["Paris", "New York", "Rome"]),
        ("Study these: apples, red pears and plums.", "Study these: {{item}}.",
         ["apples", "red pears", "plums"]),
        ("Explain “map” and “filter”", "Explain {{item}}", ["map", "filter"]),
        (
            "Say what a.py imports and which class b.py has",
            "Read {{item}}. For {{item}} alone: Say what it imports and which class it has",
            ["a.py", "b.py"],
        ),
    ],
)  # fmt: skip
def test_a_task_is_taken_apart(task, template, items):
    assert parts_of(task) == Parts(template, items)


@pytest.mark.parametrize("task", ["", "Hello", "What is in README.md?", "Who is Ada Lovelace?"])
def test_a_task_of_one_part_is_left_whole(task):
    assert parts_of(task) is None


@given(st.text(max_size=200))
def test_any_text_is_taken_apart_into_parts_that_are_there(task):
    parts = parts_of(task)
    if parts is not None:
        assert "{{item}}" in parts.template
        assert len(parts.items) == len(set(parts.items)) > 0
        assert all(item in task for item in parts.items)


def test_one_call_fans_out_and_the_answer_says_what_it_is():
    leader = Leader("Compare Paris, Oslo and Rome.", [SWARM, ASSIGN, CREATE, *ARTIFACTS])
    ((name, arguments),) = leader.calls()
    assert name == "agent_swarm"
    assert arguments["prompt_template"] == "Compare {{item}}."
    assert arguments["items"] == ["Paris", "Oslo", "Rome"]
    leader.answer(
        "2 of 3 sub-agents are done, 1 failed.\n\n## 1. Paris\nStand-in (no model): big\n"
        "[general-1: done in 2 steps]\n\n## 2. __init__\nold\n[g-2: done in 1 steps]\n\n"
        "## 3. Rome\n[g-3: failed after 0 steps: no]"
    )
    assert leader.calls() == []
    said = leader.says()
    assert said.startswith("Stand-in (no model): I follow rules. I handed out 3 part(s)")
    assert "connect a model" in said
    assert "## Paris\nbig\n\n## \\_\\_init\\_\\_\nold\n\n## Rome\n[g-3: failed" in said


def test_without_a_template_tool_it_defines_one_and_gives_a_task_to_each():
    leader = Leader("Compare Paris and Rome.", [CREATE, ASSIGN])
    create, *tasks = leader.calls()
    assert create[0] == "create_subagent"
    assert [arguments["prompt"] for _, arguments in tasks] == ["Compare Paris.", "Compare Rome."]
    assert {arguments["agent"] for _, arguments in tasks} == {create[1]["name"]}
    leader.answer("Defined.", "Seine", "Tiber")
    assert leader.calls() == []
    assert "## Compare Paris.\nSeine" in leader.says()


def test_one_at_a_time_where_the_endpoint_takes_a_single_call():
    leader = Leader("Compare Paris and Rome.", [CREATE, ASSIGN], parallel=False)
    made = []
    while found := leader.calls():
        assert len(found) == 1
        made.append(found[0][0])
        leader.answer("Fine.")
    assert made == ["create_subagent", "assign_task", "assign_task"]


def test_a_leader_without_tools_of_its_own_hands_out_the_whole():
    task = "Which licence does the project have?"
    assert Leader(task, [SWARM, ASSIGN]).calls() == [
        ("assign_task", {"agent": "general", "prompt": task})
    ]
    assert Leader(task, [SWARM]).calls()[0][1]["items"] == [task]


def test_each_file_of_a_folder_is_listed_first():
    leader = Leader("Say what each file in src/ does.", [SWARM, ASSIGN])
    assert leader.calls() == [
        ("assign_task", {"agent": "general", "prompt": "List the files in src/"})
    ]
    leader.answer(
        'list_files(path="src") gave:\nsrc/a.py\nsrc/b.py\ndocs/c.md\n[x: done in 2 steps]'
    )
    ((name, arguments),) = leader.calls()
    assert name == "agent_swarm"
    assert arguments["items"] == ["src/a.py", "src/b.py"]
    assert arguments["prompt_template"] == "Read {{item}}. Say what {{item}} does."
    leader.answer("2 of 2 sub-agents are done.\n\n## 1. src/a.py\nA.\n\n## 2. src/b.py\nB.")
    assert "List the files" not in leader.says()


def test_a_folder_without_files_ends_in_an_answer():
    leader = Leader("Say what each file in src/ does.", [SWARM, ASSIGN])
    leader.answer("no files")
    assert leader.calls() == []
    assert "no files" in leader.says()


def test_a_subagent_uses_its_tools_and_not_those_for_artifacts():
    leader = Leader("Read a.md and tell what it says", [READ, *ARTIFACTS])
    assert leader.calls() == [("read_file", {"path": "a.md"})]
    leader = Leader("List the artifacts", ARTIFACTS)
    assert leader.calls() == [("list_artifacts", {})]
