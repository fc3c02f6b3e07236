"""What a model costs: given with `--price`, or by the environment. None is known by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_kimi.swarm import Price

INPUT, OUTPUT, CACHED = "KIMI_PRICE_INPUT", "KIMI_PRICE_OUTPUT", "KIMI_PRICE_CACHED_INPUT"


def price_of(given: str | None) -> Price | None:
    """Read the prices of a million tokens: `INPUT,OUTPUT` or `INPUT,OUTPUT,CACHED`.

    Args:
        given: The option; None asks the environment.

    Returns:
        The price; None when none was given.

    Raises:
        ValueError: Not two or three numbers from 0 up, or only one of the two variables is set.
    """
    from langchain_kimi.swarm import Price  # noqa: PLC0415  takes a second, `--help` is quick

    parts = given.split(",") if given is not None else _from_environment()
    if parts is None:
        return None
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3):
        shown = given if given is not None else ",".join(parts)
        msg = (
            f"the price {shown!r} is not INPUT,OUTPUT or INPUT,OUTPUT,CACHED: numbers for a "
            "million tokens, as 0.6,2.5"
        )
        raise ValueError(msg)
    cached = numbers[2] if len(numbers) == 3 else None
    return Price(input=numbers[0], output=numbers[1], cached_input=cached)


def _from_environment() -> list[str] | None:
    set_ = {name: os.environ.get(name, "").strip() for name in (INPUT, OUTPUT, CACHED)}
    if not any(set_.values()):
        return None
    if not (set_[INPUT] and set_[OUTPUT]):
        there = " and ".join(name for name in set_ if set_[name])
        msg = f"prices need {INPUT} and {OUTPUT}; only {there} is set"
        raise ValueError(msg)
    return [set_[INPUT], set_[OUTPUT], *([set_[CACHED]] if set_[CACHED] else [])]
