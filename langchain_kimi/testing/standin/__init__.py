"""The stand-in: rules that answer when there is no script. It is no model and says so.

It thinks a little, picks a declared tool whose words fit the question, fills the arguments
from the question's words, reads the results and quotes the lines that share the question's
words. It stops after a few rounds and never makes the same call twice. Where sub-agents are on
offer it hands the parts of a task out to them; questions about numbered passages it answers with
quotes from them.
"""

from __future__ import annotations

from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Call, Turn, say, say_json, think, turn
from langchain_kimi.testing.standin.answer import NAME, answer_text, settles, thoughts
from langchain_kimi.testing.standin.arguments import Evidence
from langchain_kimi.testing.standin.choice import Candidate, candidates
from langchain_kimi.testing.standin.documents import documents_turn
from langchain_kimi.testing.standin.fanout import hand_out, joined_answer
from langchain_kimi.testing.standin.instance import instance, wanted_schema
from langchain_kimi.testing.standin.situation import Situation
from langchain_kimi.testing.standin.words import stems

MAX_ROUNDS = 4
MAX_PARALLEL = 4

__all__ = ["NAME", "stand_in_turn"]


def stand_in_turn(request: ChatRequest, *, parallel: bool = True) -> Turn:
    """Answer a request by rules.

    Args:
        request: The request.
        parallel: Whether several calls in one turn are allowed.
    """
    situation = Situation(request)
    chosen = _calls(situation, parallel=parallel)
    if chosen:
        reason = f"{thoughts(situation)} {chosen[0].name} fits."
        return turn(think(reason), *chosen)
    about_documents = documents_turn(situation)
    if about_documents is not None:
        return about_documents
    schema = wanted_schema(situation)
    if schema is not None:
        answer = say_json(instance(schema, situation))
    else:
        answer = say(joined_answer(situation) or answer_text(situation))
    return turn(think(f"{thoughts(situation)} I answer now."), answer)


def _calls(situation: Situation, *, parallel: bool) -> list[Call]:
    """Choose the calls of this turn; none when it is time to answer."""
    request = situation.request
    choice = request.body.get("tool_choice")
    if not request.tools or choice == "none":
        return []
    settled = any(settles(result, situation) for result in situation.results)
    if choice == "required" or request.named_tool is not None:
        found = candidates(situation, forced=True)
        return [Call(c.name, c.arguments) for c in _report_first(found, settled=settled)[:1]]
    handed = hand_out(situation, parallel=parallel)
    if handed is not None:
        return handed
    if situation.rounds >= MAX_ROUNDS:
        return []
    found = [c for c in candidates(situation) if not settled or _is_left(c, situation)]
    if parallel and found and found[0].evidence is Evidence.STRONG:
        alike = [c for c in found if c.name == found[0].name and c.evidence is Evidence.STRONG]
        return [Call(c.name, c.arguments) for c in alike[:MAX_PARALLEL]]
    return [Call(c.name, c.arguments) for c in found[:1]]


def _is_left(candidate: Candidate, situation: Situation) -> bool:
    """Tell whether the question asks for this call too, though results are there."""
    made = {result.name for result in situation.results}
    used_up = {word for name in made for word in stems(name)}
    wanted = candidate.name in made or bool(candidate.named - used_up)
    return candidate.evidence is Evidence.STRONG and wanted


def _report_first(found: list[Candidate], *, settled: bool) -> list[Candidate]:
    """When a call is forced and the question settled, prefer a tool that takes the answer.

    Those are made of classes (``Answer``, ``ContactInfo``), so their names are capitalised.
    """
    return sorted(found, key=lambda c: not c.name[:1].isupper()) if settled else found
