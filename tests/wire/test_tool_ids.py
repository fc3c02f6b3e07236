"""Ids and names of tool calls, out and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.wire.tool_ids import IdRegister, ToolNames, canonical_id

from .properties import thorough

NAMES = st.text("aB1._-$ é:", max_size=6)


@thorough
@given(names=st.lists(NAMES, max_size=6))
def test_names_go_out_safe_and_come_back(names: list[str]) -> None:
    mapping = ToolNames(names)

    aliases = [mapping.alias(name) for name in dict.fromkeys(names)]
    assert len(set(aliases)) == len(aliases)
    for name in names:
        alias = mapping.alias(name)
        assert mapping.original(alias) == name
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", alias) or name.startswith("$")
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            assert alias == name


def test_a_name_that_was_not_declared_passes() -> None:
    mapping = ToolNames(["a.b"])

    assert mapping.original("invented") == "invented"
    assert mapping.original("a_b") == "a.b"
    assert mapping.alias("in.vented") == "in_vented"


@pytest.mark.parametrize(
    ("names", "aliases"),
    [
        (["a.b", "a_b"], ["a_b_2", "a_b"]),
        (["a.b", "a-b", "a_b"], ["a_b_2", "a_b_3", "a_b"]),
        (["a.b", "a_b_2", "a_b"], ["a_b_3", "a_b_2", "a_b"]),
        (["$web_search"], ["$web_search"]),
        (["3d", ""], ["_3d", "_"]),
    ],
)
def test_clashing_names(names: list[str], aliases: list[str]) -> None:
    mapping = ToolNames(names)

    assert [mapping.alias(name) for name in names] == aliases


@thorough
@given(
    taken=st.lists(st.sampled_from(["functions.f:0", "functions.f:2", "x"])),
    received=st.lists(st.sampled_from([None, "", "x", "functions.f:0", "functions.f:3"])),
)
def test_received_ids_become_unique(taken: list[str], received: list[str | None]) -> None:
    register = IdRegister(taken)

    claimed = [register.claim(id_, "f") for id_ in received]

    assert len({*taken, *claimed}) == len(set(taken)) + len(claimed)


def test_an_id_that_is_free_stays() -> None:
    register = IdRegister(["functions.f:0"])

    assert register.claim("call_1", "f") == "call_1"
    assert register.claim("functions.f:0", "f") == "functions.f:1"
    assert register.claim(None, "g") == canonical_id("g", 2)
