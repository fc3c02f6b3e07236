"""A scripted Kimi endpoint: a loopback server for tests, notebooks and demos.

It speaks as NVIDIA, vLLM, SGLang and Moonshot do for Kimi, streamed and not, checks requests
as strictly as they do, records them, paces tokens and goes wrong on request. There is no
model behind it: it answers from a script, and without one a rule-based stand-in answers,
which begins every answer with ``Stand-in (no model):``. Counts of tokens are approximate.

In a program::

    from langchain_kimi.testing import KimiServer, call, say, think

    with KimiServer(dialect="vllm") as server:
        server.script(
            think("I need the weather."), call("get_weather", city="Paris"), say("It is sunny.")
        )
        llm = ChatKimi(base_url=server.base_url, api_key="test", endpoint=server.dialect)
        ...
        assert server.requests[0]["messages"][0]["role"] == "user"

In pytest, with the fixtures ``kimi_server`` and ``kimi_server_factory``::

    @pytest.mark.kimi(dialect="moonshot", seed=1)
    def test_answer(kimi_server): ...

From a shell: ``python -m langchain_kimi.testing --dialect nvidia --port 8123``.

**Turns.** One request takes one turn. Inside a turn come `think`, then `say`, then one or
more `call` (parallel calls); a part that comes too early in that order begins a new turn, so
the script above has two. `turn` groups by hand. ``server.respond_with(function)`` chooses
the turn by the request instead, which tests with many requests at once need.

=========================  ====================================================================
Part                       What it does
=========================  ====================================================================
`think`, `say`             reasoning; an answer
`say_json`                 an answer that is JSON
`call`, `call_with_id`     a tool call: ``call("f", x=1)``, ``call("f", '{"x": broken')``
`turn`                     groups parts to one turn
=========================  ====================================================================

**Faults** are parts too. Whole replies stand alone:

=========================  ====================================================================
`error`                    any status, with the dialect's body and words or your own
`unauthorized`             401
`forbidden`                403
`retired`                  404 of a hosted model that is gone while still listed
`gone`                     410
`rate_limited`             429; ``rate_limited(2)`` and ``rate_limited(datetime)`` say when
`out_of_quota`             429 that no waiting mends
`content_filtered`         400 of a content filter
`server_error`             5xx; ``html=True`` for a proxy's page
`drop`                     the connection closes without a reply
=========================  ====================================================================

Delays stand before the turn that they delay:

=========================  ====================================================================
`hang`                     silence before the headers
`slow_first_token`         headers at once, silence before the first token
`accepted`                 202 and NVCF-REQID, the reply at the status path after some polls
=========================  ====================================================================

Events stand where they happen, in a stream (``say("a"), pause(1), …``):

=========================  ====================================================================
`pause`                    silence; for ever without seconds
`comment`, `raw`           an SSE comment; any bytes
`malformed_chunk`          an event with cut JSON
`error_event`              ``{"error": …}`` and ``[DONE]``; ends the turn
`cut`                      the connection drops, here or after so many bytes or events
`end_early`                the body ends cleanly without a finish_reason
=========================  ====================================================================

The rest changes the turn in which it stands:

=========================  ====================================================================
`finish`                   another finish_reason, or none
`chunked`                  another size of the pieces; ``chunked(None)`` makes giant lines
`framed`                   CRLF, ``event:`` lines, comments around every event
`leaked`                   the calls as raw markers in content or reasoning
`dropped_calls`            the calls get lost
`broken_arguments`         the arguments' JSON is cut
`raw_control_characters`   newlines and tabs stand raw in the arguments' JSON
`dict_arguments`           arguments as an object, not as a string
`duplicate_ids`            all calls have one id
`missing_ids`              and `missing_indexes`, `missing_names`
`late_names`               a call's name after its arguments
`interleaved`              the deltas of parallel calls in turns
=========================  ====================================================================

Think-only replies need no fault: ``turn(think("…"), finish("length"))``, or a request with a
small ``max_tokens``, which the server honours. ``KimiServer(faults=[…])`` gives faults to
every turn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from langchain_kimi.testing.callfaults import (
    broken_arguments,
    dict_arguments,
    dropped_calls,
    duplicate_ids,
    interleaved,
    late_names,
    missing_ids,
    missing_indexes,
    missing_names,
    raw_control_characters,
)
from langchain_kimi.testing.failures import (
    content_filtered,
    error,
    forbidden,
    gone,
    out_of_quota,
    rate_limited,
    retired,
    server_error,
    unauthorized,
)
from langchain_kimi.testing.faults import (
    accepted,
    chunked,
    comment,
    cut,
    drop,
    end_early,
    error_event,
    finish,
    framed,
    hang,
    leaked,
    malformed_chunk,
    pause,
    raw,
    slow_first_token,
)
from langchain_kimi.testing.script import Part, Turn, call, call_with_id, say, say_json, think, turn

if TYPE_CHECKING:
    from langchain_kimi.testing.record import Exchange
    from langchain_kimi.testing.server import KimiServer

__all__ = [
    "Exchange",
    "KimiServer",
    "Part",
    "Turn",
    "accepted",
    "broken_arguments",
    "call",
    "call_with_id",
    "chunked",
    "comment",
    "content_filtered",
    "cut",
    "dict_arguments",
    "drop",
    "dropped_calls",
    "duplicate_ids",
    "end_early",
    "error",
    "error_event",
    "finish",
    "forbidden",
    "framed",
    "gone",
    "hang",
    "interleaved",
    "late_names",
    "leaked",
    "malformed_chunk",
    "missing_ids",
    "missing_indexes",
    "missing_names",
    "out_of_quota",
    "pause",
    "rate_limited",
    "raw",
    "raw_control_characters",
    "retired",
    "say",
    "say_json",
    "server_error",
    "slow_first_token",
    "think",
    "turn",
    "unauthorized",
]


def __getattr__(name: str) -> object:
    """Load what brings in aiohttp when it is asked for."""
    module = {"Exchange": "record", "KimiServer": "server"}.get(name)
    if module is not None:
        return getattr(import_module(f"{__name__}.{module}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
