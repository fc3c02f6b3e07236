"""Budgets over a whole tree of agents, and the ledger that keeps to them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any

from langchain_core.messages import AIMessage


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a model costs, in any currency, for a million tokens."""

    input: float
    output: float
    cached_input: float | None = None
    """For input that the server had in its cache; None: as `input`."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None or item.default is not None:
                _check(f"Price.{item.name}", value, least=0, whole=False)

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Return what tokens cost; the cached ones are among the input tokens."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = input_tokens - cached_tokens
        return (fresh * self.input + cached_tokens * cached + output_tokens * self.output) / 1e6


def _check(name: str, value: Any, *, least: int, whole: bool) -> None:
    """Refuse what is no number, not finite, or too small: such a limit would limit nothing."""
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < math.inf:
        msg = f"{name} is {value!r}; it must be {'an integer' if whole else 'a number'} >= {least}."
        raise ValueError(msg)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The limits of one task, over the orchestrator and all its sub-agents.

    Steps, sub-agents and concurrency are never exceeded. Tokens and money are known only after
    a reply: no call begins that would pass the limit if its reply took `reply_tokens`.
    """

    steps: int = 4000
    """Model calls with the tool calls that they ask for, the orchestrator's included."""
    critical_steps: int | None = None
    """Steps on the longest path: each turn's orchestrator step and its longest sub-agent."""
    subagents: int = 300
    """Sub-agents that are started."""
    concurrency: int = 300
    """Sub-agents that work at the same moment; more wait their turn."""
    depth: int = 1
    """Generations of sub-agents: 1 means that sub-agents may not start others."""
    tokens: int | None = None
    """Input and output tokens together."""
    money: float | None = None
    """In the currency of `prices`."""
    seconds: float | None = None
    """Wall time, counted from the start of the task, over restarts."""
    subagent_steps: int = 100
    subagent_tokens: int | None = None
    subagent_seconds: float | None = None
    orchestrator_steps: int = 100
    reply_tokens: int = 8192
    """The longest reply to reckon with before a call."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """Prices by model name; "" for models not named. A model without a price costs nothing."""

    @classmethod
    def of(cls, value: Budget | Mapping[str, Any] | None, base: Budget | None = None) -> Budget:
        """Read a budget from plain data, with `base` for what it leaves out.

        Raises:
            ValueError: For a field that a budget does not have, or a limit below 1.
        """
        if isinstance(value, Budget):
            return value
        known = {item.name for item in fields(cls)}
        given = dict(value or {})
        if unknown := sorted(given.keys() - known):
            msg = (
                f"A budget has no {', '.join(unknown)}. Its fields are {', '.join(sorted(known))}."
            )
            raise ValueError(msg)
        merged = {name: getattr(base or cls(), name) for name in known} | given
        merged["prices"] = {
            model: price if isinstance(price, Price) else _price(model, price)
            for model, price in (merged["prices"] or {}).items()
        }
        return cls(**merged)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "prices" and not (value is None and item.default is None):
                whole = item.name not in ("money", "seconds", "subagent_seconds")
                _check(f"Budget.{item.name}", value, least=1 if whole else 0, whole=whole)
        if self.money == 0 or self.seconds == 0 or self.subagent_seconds == 0:
            msg = "A budget of 0 leaves nothing to do; None stands for no limit."
            raise ValueError(msg)

    def within(self, most: Budget | Mapping[str, Any] | None) -> Budget:
        """Return this budget with no limit above those of another.

        Args:
            most: What may not be passed: all limits of a `Budget`, of plain data those it names.
                Where it has prices they hold, and no shorter reply than its own is reckoned with.
        """
        ceiling = Budget.of(most)
        names = (
            {item.name for item in fields(self)} if isinstance(most, Budget) else set(most or ())
        )
        held: dict[str, Any] = {}
        for name in names - {"prices", "reply_tokens"}:
            mine, theirs = getattr(self, name), getattr(ceiling, name)
            if theirs is not None and (mine is None or mine > theirs):
                held[name] = theirs
        if "reply_tokens" in names:
            held["reply_tokens"] = max(self.reply_tokens, ceiling.reply_tokens)
        return replace(self, prices=ceiling.prices or self.prices, **held)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that `of` reads back."""
        return asdict(self)


def _price(model: str, given: Mapping[str, Any]) -> Price:
    try:
        return Price(**given)
    except TypeError as error:
        msg = f"The price of {model!r} must be {{input, output, cached_input}}, not {given!r}."
        raise ValueError(msg) from error


@dataclass(slots=True)
class Usage:
    """Counted use of an agent or of a whole tree."""

    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def add(self, reply: AIMessage, prices: Mapping[str, Price]) -> None:
        """Count one reply as a step."""
        self.steps += 1
        usage = reply.usage_metadata
        if usage is None:
            return
        taken, made = usage["input_tokens"], usage["output_tokens"]
        cached = usage.get("input_token_details", {}).get("cache_read", 0) or 0
        self.input_tokens += taken
        self.output_tokens += made
        self.cached_tokens += cached
        price = prices.get(reply.response_metadata.get("model_name", "")) or prices.get("")
        if price is not None:
            self.money += price.of(taken, made, cached)

    def catch_up(self, known: Usage, total: Usage) -> None:
        """Add what `total` has more than `known`: steps whose records were compacted away."""
        for item in fields(self):
            more = getattr(total, item.name) - getattr(known, item.name)
            setattr(self, item.name, getattr(self, item.name) + more)


class Grant(Enum):
    """What the ledger says to an agent that wants to take a step."""

    STEP = 0
    LAST = 1
    """One more step: say what you have."""
    NONE = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grant, and the limit that is the reason for less than a free step."""

    grant: Grant
    limit: str = ""
    reason: str = ""


_GO = Verdict(Grant.STEP)


class Ledger:
    """Counts what a task uses, and grants or refuses steps.

    Every agent at work holds back one step, and the tokens that its last call took, for its last
    words, and so does the orchestrator: that is why the limits can be kept and everybody can
    still wrap up. An agent that was granted its last step has used what it held back.

    Args:
        budget: The limits.
        started: When the task began, in seconds since 1970.
        clock: The time, for tests.
    """

    SOFT = 0.9
    """The share of tokens, money and time after which work is told to wrap up."""

    def __init__(
        self, budget: Budget, *, started: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.budget = budget
        self.used = Usage()
        self.started = started
        self.subagents = 0
        self.critical = 0
        self.orchestrator_steps = 0
        self.reached: dict[str, str] = {}
        self.holding: set[str] = set()
        self._in_flight: dict[str, Grant] = {}
        self._held: dict[str, int] = {}
        self._reserved = 0
        self._lead = budget.reply_tokens
        self._clock = clock

    def seconds_left(self) -> float:
        """Return the seconds until the limit on wall time, infinite without one."""
        if self.budget.seconds is None:
            return math.inf
        return self.started + self.budget.seconds - self._clock()

    def admit(self, agent: str, *, internal: bool = False) -> Verdict:
        """Let a sub-agent begin, and hold a step back for it, unless a limit is reached.

        `internal` work, such as merging results, does not count as a sub-agent.
        """
        if agent in self.holding:
            return _GO
        budget = self.budget
        verdict = self._of_time()
        if not internal and self.subagents >= budget.subagents:
            verdict = Verdict(
                Grant.NONE, "subagents", f"the limit of {budget.subagents} sub-agents"
            )
        elif self._free_steps() < 2:
            verdict = Verdict(Grant.NONE, "steps", f"the limit of {budget.steps} steps")
        if verdict.grant is Grant.STEP:
            self.holding.add(agent)
            self.subagents += not internal
            return _GO
        self.reached.setdefault(verdict.limit, verdict.reason)
        return Verdict(Grant.NONE, verdict.limit, verdict.reason)

    def readmit(self, agent: str, *, internal: bool = False) -> None:
        """Hold a step back again for a sub-agent that was at work before a restart."""
        self.subagents += not internal
        if self._free_steps() >= 1:
            self.holding.add(agent)

    def release(self, agent: str) -> None:
        """Give back what an agent that ended held."""
        self.holding.discard(agent)
        self._in_flight.pop(agent, None)
        self._hold(agent, 0)

    def step(
        self, agent: str, own: Usage, *, expect: int, critical: int, seconds: float
    ) -> Verdict:
        """Grant a step to a sub-agent.

        Args:
            agent: The sub-agent.
            own: What it has used.
            expect: The input tokens that its next call will take.
            critical: The steps on the path that leads to this step, this turn.
            seconds: How long it has worked.
        """
        if agent not in self.holding:
            return Verdict(Grant.NONE, "steps", f"the limit of {self.budget.steps} steps")
        need = expect + self.budget.reply_tokens
        held = self._held.get(agent, 0)
        shared = self._shared(need, critical, self._last_words(), self._reserved - held)
        if shared.grant is not Grant.STEP:
            self.reached.setdefault(shared.limit, shared.reason)
        verdict = _worse(shared, self._of_own(own, need, seconds))
        if verdict.grant is Grant.NONE:
            return verdict
        if verdict.grant is Grant.LAST:
            self.holding.discard(agent)
        self._in_flight[agent] = verdict.grant
        self._hold(agent, need)
        return verdict

    def done(self, agent: str, own: Usage, reply: AIMessage) -> None:
        """Count a sub-agent's reply."""
        if self._in_flight.pop(agent, None) is Grant.LAST:
            self._hold(agent, 0)
        own.add(reply, self.budget.prices)
        self.used.add(reply, self.budget.prices)

    def refund(self, agent: str) -> None:
        """Take back a grant whose call gave no reply."""
        if self._in_flight.pop(agent, None) is Grant.LAST:
            self.holding.add(agent)

    def orchestrator_step(self, *, expect: int) -> Verdict:
        """Say whether the orchestrator may take a step: its held-back one makes the last."""
        self._lead = expect + self.budget.reply_tokens
        verdict = self._shared(self._lead, 0, None, self._reserved)
        left = self.budget.orchestrator_steps - self.orchestrator_steps
        if left <= 1:
            limit = f"the limit of {self.budget.orchestrator_steps} orchestrator steps"
            own = Verdict(Grant.LAST if left else Grant.NONE, "orchestrator_steps", limit)
            verdict = _worse(verdict, own)
        if self.used.steps >= self.budget.steps:
            limit = f"the limit of {self.budget.steps} steps"
            verdict = Verdict(Grant.NONE, "steps", limit)
        if verdict.grant is not Grant.STEP:
            self.reached.setdefault(verdict.limit, verdict.reason)
        return verdict

    def orchestrator_done(self, reply: AIMessage) -> None:
        """Count the orchestrator's reply."""
        self.orchestrator_steps += 1
        self.critical += 1
        self.used.add(reply, self.budget.prices)

    def _hold(self, agent: str, tokens: int) -> None:
        """Keep tokens for an agent at work: for its call in flight, then for its last words."""
        self._reserved += tokens - self._held.pop(agent, 0)
        if tokens:
            self._held[agent] = tokens

    def _free_steps(self) -> int:
        """Steps that nobody has used, runs, or holds back; one is the orchestrator's."""
        taken = self.used.steps + len(self._in_flight) + len(self.holding) + 1
        return self.budget.steps - taken

    def _last_words(self) -> int:
        """Return the tokens that are kept for the orchestrator's last reply."""
        return self._lead + self.budget.reply_tokens

    def _shared(self, need: int, critical: int, kept: int | None, reserved: int) -> Verdict:
        """Check the limits of the whole tree.

        Args:
            need: The tokens that the call may take.
            critical: The steps on the path that leads to it, this turn.
            kept: Tokens that are not a sub-agent's to take; None for the orchestrator.
            reserved: Tokens that others hold.
        """
        budget, verdict = self.budget, _GO
        if self._free_steps() < 1:
            verdict = Verdict(Grant.LAST, "steps", f"the limit of {budget.steps} steps")
        if budget.tokens is not None:
            free = budget.tokens - min(kept or 0, budget.tokens // 4)
            reason = f"the limit of {budget.tokens} tokens"
            expected = self.used.tokens + reserved + need
            wraps_up = expected > self.SOFT * free or expected + need > free
            verdict = _worse(verdict, _near(wraps_up, expected > budget.tokens, "tokens", reason))
        if budget.money is not None and budget.prices:
            dearest = max(max(p.input, p.output) for p in budget.prices.values()) / 1e6
            free_money = budget.money - min((kept or 0) * dearest, budget.money / 4)
            reason = f"the limit of {budget.money:g} in money"
            cost = self.used.money + (reserved + need) * dearest
            wraps_up = cost > self.SOFT * free_money or cost + need * dearest > free_money
            verdict = _worse(verdict, _near(wraps_up, cost > budget.money, "money", reason))
        if budget.critical_steps is not None:
            left = budget.critical_steps - self.critical - critical - (kept is not None)
            if left <= 1 or (left == 2 and kept is None):
                grant = Grant.LAST if left >= 1 else Grant.NONE
                reason = f"the limit of {budget.critical_steps} critical steps"
                verdict = _worse(verdict, Verdict(grant, "critical_steps", reason))
        return _worse(verdict, self._of_time())

    def _of_own(self, own: Usage, need: int, seconds: float) -> Verdict:
        """Check the limits of one sub-agent."""
        budget, verdict = self.budget, _GO
        left = budget.subagent_steps - own.steps
        if left <= 1:
            reason = f"its limit of {budget.subagent_steps} steps"
            verdict = Verdict(Grant.LAST if left == 1 else Grant.NONE, "subagent_steps", reason)
        if budget.subagent_tokens is not None:
            reason = f"its limit of {budget.subagent_tokens} tokens"
            expected, limit = own.tokens + need, budget.subagent_tokens
            wraps_up = expected > self.SOFT * limit or expected + need > limit
            found = _near(wraps_up, expected > limit, "subagent_tokens", reason)
            verdict = _worse(verdict, found)
        if budget.subagent_seconds is not None and seconds > self.SOFT * budget.subagent_seconds:
            reason = f"its limit of {budget.subagent_seconds:g} s"
            verdict = _worse(verdict, Verdict(Grant.LAST, "subagent_seconds", reason))
        return verdict

    def _of_time(self) -> Verdict:
        if self.budget.seconds is None:
            return _GO
        left = self.seconds_left()
        if left > (1 - self.SOFT) * self.budget.seconds:
            return _GO
        reason = f"the limit of {self.budget.seconds:g} s of wall time"
        return Verdict(Grant.LAST if left > 0 else Grant.NONE, "seconds", reason)


def _near(wraps_up: bool, passed: bool, name: str, reason: str) -> Verdict:
    """Grant a last step near a limit, and none where it might be passed."""
    if passed:
        return Verdict(Grant.NONE, name, reason)
    return Verdict(Grant.LAST, name, reason) if wraps_up else _GO


def _worse(one: Verdict, other: Verdict) -> Verdict:
    return other if other.grant.value > one.grant.value else one
