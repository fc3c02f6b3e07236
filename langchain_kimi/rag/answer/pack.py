"""Which candidates go before the model, how large, at what cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from langchain_kimi.rag.answer.budget import EvidenceBudget
from langchain_kimi.rag.answer.candidates import HEAD_TOKENS, Candidate, View, crop_view
from langchain_kimi.rag.geometry import Box

_THIN_TEXT = 40
"""A page with fewer tokens of text is not shown as text alone."""
_BREADTH = 0.5
"""The part of the budget for many pages, small or as text; the rest makes the top sharp."""
_SHARP_PAGES = 4
_CLEAR_PAGES = 12
_CLEAR_TOKENS = 1_300
"""What a page beyond the top is raised to: about 100 dpi of a letter page."""
_DEAREST_CROP = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A source in the context: what of it is shown, and its number."""

    number: int
    """Counted from 1, in the order of documents and pages."""
    id: str
    view: View | None
    """Its picture; None for text alone."""
    text: bool
    crops: tuple[Box, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The context's evidence, in a fixed order so that servers can cache the prefix."""

    slots: tuple[Slot, ...]
    visual_tokens: int
    text_tokens: int
    whole: bool
    """Whether every candidate is in, all at one resolution."""

    @property
    def tokens(self) -> int:
        """Return what all of it costs."""
        return self.visual_tokens + self.text_tokens


def pack(candidates: Sequence[Candidate], budget: EvidenceBudget | None = None) -> Packed:
    """Choose what is shown of each candidate.

    When all of them fit with their pictures, all go in at the sharpest resolution that fits. Else
    half of the budget goes to breadth, in the order of rank and each as cheap as it can be; the
    other half shows the top ones sharp, with crops of the regions that speak for them.

    Args:
        candidates: The best first; of equal ids the first counts.
        budget: Tokens.

    Returns:
        The chosen ones by document and page; their cost never exceeds the budget.
    """
    budget = budget or EvidenceBudget()
    ranked = list({candidate.id: candidate for candidate in reversed(candidates)}.values())[::-1]
    choices = _uniform(ranked, budget)
    whole = choices is not None
    if choices is None:
        choices = _tiers(ranked, budget)
    choices.sort(key=lambda choice: (choice.of.path, choice.of.page, choice.of.id))
    slots = tuple(choice.slot(number) for number, choice in enumerate(choices, start=1))
    return Packed(
        slots=slots,
        visual_tokens=sum(choice.visual for choice in choices),
        text_tokens=sum(choice.text_tokens for choice in choices),
        whole=whole,
    )


@dataclass(slots=True)
class _Choice:
    """A candidate that is in, as it is shown so far."""

    of: Candidate
    view: View | None
    crops: tuple[Box, ...] = ()
    visual: int = 0

    def __post_init__(self) -> None:
        self.visual = self.view.tokens if self.view else 0

    @property
    def text_tokens(self) -> int:
        return self.of.head_tokens + self.of.text_tokens

    def slot(self, number: int) -> Slot:
        return Slot(
            number=number,
            id=self.of.id,
            view=self.view,
            text=self.of.text_tokens > 0,
            crops=self.crops,
            tokens=self.visual + self.text_tokens,
        )


class _Purse:
    """What is left of a budget."""

    def __init__(self, budget: EvidenceBudget) -> None:
        self.left = budget.tokens
        self.visual = budget.tokens if budget.visual is None else budget.visual
        self.text = budget.tokens if budget.text is None else budget.text

    def pays(self, *, visual: int = 0, text: int = 0, keep: int = 0) -> bool:
        """Take tokens when they are there, and `keep` of them stay."""
        fits = visual + text <= self.left - keep and visual <= self.visual and text <= self.text
        if fits:
            self.left -= visual + text
            self.visual -= visual
            self.text -= text
        return fits


def _uniform(ranked: Sequence[Candidate], budget: EvidenceBudget) -> list[_Choice] | None:
    """Show all at the sharpest resolution at which all fit; None when they do not."""
    text = sum(candidate.text_tokens + candidate.head_tokens for candidate in ranked)
    if text > budget.tokens:
        return None
    ladders = [candidate.views for candidate in ranked]
    for height in reversed(range(max(map(len, ladders), default=1) or 1)):
        views = [views[min(height, len(views) - 1)] if views else None for views in ladders]
        purse = _Purse(budget)
        if purse.pays(visual=sum(view.tokens for view in views if view), text=text):
            return [_Choice(one, view) for one, view in zip(ranked, views, strict=True)]
    return None


def _tiers(ranked: Sequence[Candidate], budget: EvidenceBudget) -> list[_Choice]:
    purse = _Purse(budget)
    chosen: list[_Choice] = []
    kept = round(budget.tokens * (1 - _BREADTH)) if budget.visual != 0 else 0
    waiting = _admit(ranked, purse, chosen, keep=kept)
    for choice in chosen[:_SHARP_PAGES]:
        _raise(choice, purse, most=None)
    _add_crops(chosen[:_SHARP_PAGES], purse, budget.crops)
    for choice in chosen[_SHARP_PAGES:_CLEAR_PAGES]:
        _raise(choice, purse, most=_CLEAR_TOKENS)
    for choice in chosen[_CLEAR_PAGES:]:
        _raise(choice, purse, most=_CLEAR_TOKENS // 2)
    _admit(waiting, purse, chosen)
    for choice in chosen:
        _raise(choice, purse, most=None)
    return chosen


def _admit(
    candidates: Iterable[Candidate], purse: _Purse, chosen: list[_Choice], *, keep: int = 0
) -> list[Candidate]:
    """Take in candidates at their least cost; return those that had no place."""
    waiting: list[Candidate] = []
    for candidate in candidates:
        # the best one may use what is kept for the top
        kept = keep if chosen else 0
        choice = next((one for one in _cheapest(candidate) if _paid(one, purse, kept)), None)
        if choice is None:
            waiting.append(candidate)
        else:
            chosen.append(choice)
    return waiting


def _cheapest(candidate: Candidate) -> Iterator[_Choice]:
    """Yield how a candidate can come in: thin text with a picture, if that may be, else as text."""
    if candidate.text_tokens < _THIN_TEXT and candidate.views:
        yield _Choice(candidate, candidate.views[0])
    if candidate.text_tokens:
        yield _Choice(candidate, None)


def _paid(choice: _Choice, purse: _Purse, keep: int) -> bool:
    return purse.pays(visual=choice.visual, text=choice.text_tokens, keep=keep)


def _raise(choice: _Choice, purse: _Purse, *, most: int | None) -> None:
    """Show a choice as sharp as the budget and `most` tokens allow."""
    for view in reversed(choice.of.views):
        more = view.tokens - (choice.view.tokens if choice.view else 0)
        if more <= 0:
            return
        if (most is None or view.tokens <= most) and purse.pays(visual=more):
            choice.view = view
            choice.visual += more
            return


def _add_crops(choices: Sequence[_Choice], purse: _Purse, count: int) -> None:
    """Show the best regions of the top pages once more, at native size."""
    for depth in range(2):
        for choice in choices:
            if depth >= len(choice.of.crops) or count <= 0 or choice.view is None:
                continue
            box = choice.of.crops[depth]
            cost = crop_tokens(choice.of, box)
            if cost <= _DEAREST_CROP and purse.pays(visual=cost):
                choice.crops = (*choice.crops, box)
                choice.visual += cost
                count -= 1


def crop_tokens(candidate: Candidate, box: Box) -> int:
    """Return what a crop costs with the line that names it."""
    return crop_view(candidate, box).tokens + HEAD_TOKENS
