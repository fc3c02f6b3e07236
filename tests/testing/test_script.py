"""How parts make turns."""

import pytest

from langchain_kimi.testing import (
    accepted,
    call,
    cut,
    error,
    hang,
    interleaved,
    pause,
    say,
    say_json,
    slow_first_token,
    think,
    turn,
)
from langchain_kimi.testing.script import group


def turns(*parts):
    return [made.parts for made in group(parts)]


def test_the_order_of_a_reply_makes_one_turn():
    parts = (think("t"), say("s"), call("a"), call("b"))

    assert turns(*parts) == [parts]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (say("a"), say("b")),
        (think("a"), think("b")),
        (say("a"), think("b")),
        (call("a"), say("b")),
        (call("a"), think("b")),
        (say("a"), error(500)),
        (error(500), say("a")),
        (say("a"), hang(1)),
    ],
)
def test_a_part_that_comes_too_early_begins_a_turn(first, second):
    assert turns(first, second) == [(first,), (second,)]


def test_delays_stand_before_the_turn_that_they_delay():
    parts = (accepted(2), slow_first_token(1), say("a"))

    assert turns(*parts) == [parts]


def test_events_and_changes_stay_with_the_running_turn():
    parts = (say("a"), pause(1), call("b"), call("c"), interleaved())

    assert turns(*parts) == [parts]


def test_a_cut_closes_its_turn():
    assert turns(say("a"), cut(), call("b")) == [(say("a"), cut()), (call("b"),)]


def test_turns_may_be_grouped_by_hand():
    made = turn(say("a"), think("b"), say("c"))

    assert turns(say("x"), made, call("y")) == [(say("x"),), made.parts, (call("y"),)]


def test_arguments_as_names_as_mapping_and_as_text():
    assert call("f", x=1).arguments_text == '{"x": 1}'
    assert call("f", {"a-b": "é"}).arguments_text == '{"a-b": "é"}'
    assert call("f", '{"x": ').arguments_text == '{"x": '
    assert say_json({"a": [1, "é"]}).text == '{"a":[1,"é"]}'


def test_text_and_names_together_are_refused():
    with pytest.raises(TypeError, match="not both"):
        call("f", "{}", x=1)


def test_what_is_no_part_is_named():
    with pytest.raises(TypeError, match=r"got str: 'hello'"):
        group(["hello"])
