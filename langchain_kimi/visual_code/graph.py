"""`create_visual_to_code`: draft → render → compare, and improve while that helps."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any, Literal, NotRequired, TypedDict, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.channels import UntrackedValue
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import get_runtime
from langgraph.types import Checkpointer, Command
from PIL import Image

from langchain_kimi.agents.default_model import default_model
from langchain_kimi.content import image
from langchain_kimi.content.pictures import pictures_in
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.limits import check_count, check_share
from langchain_kimi.visual_code.browser import Browser, BrowserError
from langchain_kimi.visual_code.likeness import differs_most, likeness
from langchain_kimi.visual_code.result import Attempt, Ending, VisualCode

_T = TypeVar("_T")
ModelOf = Callable[[Any], BaseChatModel]
RoundsOf = Callable[[Any], int]
LikenessOf = Callable[[Any], float]

_MOST_SIDE = 4_096
_FENCED = re.compile(r"```[ \t]*html?[^\n]*\n(.*?)(?:\n```|\Z)", re.DOTALL | re.IGNORECASE)
_BARE = re.compile(r"<(?:!doctype\s+html|html)\b.*", re.DOTALL | re.IGNORECASE)
_NO_PAGE = "the reply holds no HTML document"


class State(TypedDict):
    """The state of the graph."""

    messages: Annotated[list[AnyMessage], add_messages]
    mock_up: NotRequired[str]
    """The mock-up as a PNG in base64."""
    replies: NotRequired[list[AnyMessage]]
    """The conversation about this mock-up: replies, and how they looked."""
    attempts: NotRequired[list[dict[str, Any]]]
    """Plain data, as checkpoints keep it."""
    result: Annotated[NotRequired[VisualCode], UntrackedValue]


class Input(TypedDict):
    """What the graph takes: a message with a picture."""

    messages: Annotated[list[AnyMessage], add_messages]


class Output(TypedDict):
    """What the graph gives."""

    messages: Annotated[list[AnyMessage], add_messages]
    result: Annotated[VisualCode, UntrackedValue]
    """Typed; a checkpoint keeps the attempts, as plain data."""


def create_visual_to_code(
    model: BaseChatModel | ModelOf | str | None = None,
    *,
    browser: Browser | None = None,
    rounds: int | RoundsOf = 3,
    alike: float | LikenessOf = 0.97,
    gain: float = 0.005,
    checkpointer: Checkpointer = None,
    context_schema: type[Any] | None = None,
    name: str = "visual_to_code",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create a graph that turns a mock-up into a web page.

    The page is rendered in headless Chromium at the mock-up's size, without a network, and
    compared with it. The model sees both pictures and improves the page, while that helps.

    Example:
        ```python
        from langchain_kimi.content import image
        from langchain_kimi.visual_code import create_visual_to_code

        graph = create_visual_to_code()
        message = {"role": "user", "content": [image("mock-up.png")]}
        result = graph.invoke({"messages": [message]})["result"]
        print(result.likeness, result.html)
        ```

    Args:
        model: A chat model that sees pictures, the id of a Kimi model, None for
            `default_model()`, or a function of the run's context.
        browser: Where pages are rendered.
        rounds: How many pages are asked for at most, or a function of the run's context.
        alike: The likeness, from 0 to 1, that is good enough, or a function of the run's context.
        gain: By how much an attempt must be better than the best before, to go on.
        checkpointer: Keeps threads.
        context_schema: The type of `Runtime.context`.
        name: The graph's name.

    Returns:
        The compiled graph. It takes `messages`; the last one from a person holds the mock-up, and
        wishes in words if there are any. It gives `messages` and `result`, a `VisualCode`.

    Raises:
        KimiInvalidInputError: An argument is of a wrong kind, or out of its range.
    """
    _check(rounds=rounds, alike=alike, gain=gain)
    if not (model is None or isinstance(model, str | Runnable) or callable(model)):
        msg = f"model is of type {type(model).__name__}. Give a chat model, its id, or None."
        raise KimiInvalidInputError(msg)
    chosen = default_model(model=model) if model is None or isinstance(model, str) else model
    nodes = _Nodes(chosen, browser or Browser(), rounds=rounds, alike=alike, gain=gain)
    graph = StateGraph(
        State, context_schema=context_schema, input_schema=Input, output_schema=Output
    )
    graph.add_node("look", nodes.look)
    graph.add_node("draft", RunnableLambda(nodes.draft, nodes.adraft))
    graph.add_node("render", nodes.render)
    graph.add_edge(START, "look")
    graph.add_edge("look", "draft")
    graph.add_edge("draft", "render")
    return graph.compile(checkpointer=checkpointer, name=name)


class _Nodes:
    def __init__(
        self,
        model: BaseChatModel | ModelOf,
        browser: Browser,
        *,
        rounds: int | RoundsOf,
        alike: float | LikenessOf,
        gain: float,
    ) -> None:
        self._model = model
        self._browser = browser
        self._rounds = rounds
        self._alike = alike
        self._gain = gain

    def look(self, state: State) -> dict[str, Any]:
        """Read the mock-up from the last message of a person.

        Raises:
            KimiInvalidInputError: There is none, or it is damaged; or the context asks for less
                than one round, or for what no likeness is.
        """
        _check(rounds=_of_context(self._rounds), alike=_of_context(self._alike))
        picture = _mock_up(state["messages"])
        picture.thumbnail((_MOST_SIDE, _MOST_SIDE))
        return {"mock_up": _as_png(picture), "replies": [], "attempts": []}

    def draft(self, state: State, config: RunnableConfig) -> dict[str, Any]:
        """Ask for a page."""
        reply = self._asked().invoke(_conversation(state), config)
        return {"replies": [*state["replies"], reply]}

    async def adraft(self, state: State, config: RunnableConfig) -> dict[str, Any]:
        """Ask for a page."""
        model = await asyncio.to_thread(self._asked)
        messages = await asyncio.to_thread(_conversation, state)
        reply = await model.ainvoke(messages, config)
        return {"replies": [*state["replies"], reply]}

    def render(self, state: State) -> Command[Literal["draft", "__end__"]]:
        """Render the page, compare it, and tell whether to go on."""
        target = _from_png(state["mock_up"])
        attempt = self._attempt(state["replies"][-1].text, target)
        earlier = [Attempt.model_validate(one) for one in state["attempts"]]
        before = max((one.likeness for one in earlier), default=0.0)
        attempts = [*earlier, attempt]
        kept = [one.model_dump() for one in attempts]
        ended = self._ended(attempt, before, len(attempts))
        if ended is None:
            shown = _shown(attempt, target)
            update = {"attempts": kept, "replies": [*state["replies"], shown]}
            return Command(goto="draft", update=update)
        result = _result(attempts, ended, state["mock_up"])
        told = f"```html\n{result.html}\n```" if result.html else f"No page: {attempt.error}."
        update = {"attempts": kept, "result": result, "messages": [AIMessage(told)]}
        return Command(goto="__end__", update=update)

    def _asked(self) -> BaseChatModel:
        return _of_context(self._model)

    def _attempt(self, reply: str, target: Image.Image) -> Attempt:
        html = page_in(reply)
        if not html:
            return Attempt(html="", error=_NO_PAGE)
        try:
            png = self._browser.picture(html, target.width, target.height)
        except BrowserError as error:
            return Attempt(html=html, error=str(error))
        with Image.open(io.BytesIO(png)) as picture:
            found = likeness(picture, target)
        return Attempt(html=html, screenshot=base64.b64encode(png).decode(), likeness=found)

    def _ended(self, attempt: Attempt, before: float, attempts: int) -> Ending | None:
        if attempt.likeness >= _of_context(self._alike):
            return "alike"
        if attempts >= _of_context(self._rounds):
            return "no_page" if attempt.error else "rounds"
        if before and attempt.likeness < before + self._gain:
            return "no_page" if attempt.error else "not_better"
        return None


def _of_context(value: _T | Callable[[Any], _T]) -> _T:
    """Return a value that may be a function of the run's context."""
    return value(get_runtime().context) if callable(value) else value


def _check(*, rounds: Any, **shares: Any) -> None:
    """Check the limits that are no functions of the context."""
    if not callable(rounds):
        check_count("rounds", rounds, least=1, advice="At least one page is asked for.")
    for name, share in shares.items():
        if not callable(share):
            check_share(name, share)


def page_in(reply: str) -> str:
    """Return the HTML document of a reply; empty when there is none."""
    fenced = [found.strip() for found in _FENCED.findall(reply)]
    if fenced:
        return str(max(fenced, key=len))
    bare = _BARE.search(reply)
    return "" if bare is None else str(bare[0]).strip()


def _mock_up(messages: list[AnyMessage]) -> Image.Image:
    for message in reversed(messages):
        if not isinstance(message, HumanMessage):
            continue
        for picture in pictures_in(message):
            return picture
        break
    msg = (
        "the last message of a person holds no picture to turn into a page: give its bytes as an "
        "image block, for example langchain_kimi.content.image('mock-up.png')"
    )
    raise KimiInvalidInputError(msg)


def _conversation(state: State) -> list[AnyMessage]:
    size = _from_png(state["mock_up"]).size
    system = _prompt("draft").format(width=size[0], height=size[1])
    asked = next(m for m in reversed(state["messages"]) if isinstance(m, HumanMessage))
    return [SystemMessage(system), asked, *state["replies"]]


def _shown(attempt: Attempt, target: Image.Image) -> HumanMessage:
    """Return what the model is told about its page."""
    if attempt.error:
        told = f"Your page could not be rendered: {attempt.error}. Reply with it whole."
        return HumanMessage(told)
    picture = _from_png(attempt.screenshot)
    where = differs_most(picture, target)
    words = _prompt("improve").format(likeness=f"{attempt.likeness:.2f}", where=where)
    return HumanMessage([{"type": "text", "text": words}, image(picture, name="the rendered page")])


def _result(attempts: list[Attempt], ended: Ending, mock_up: str) -> VisualCode:
    best = max(attempts, key=lambda one: one.likeness)
    html = best.html if best.screenshot else ""
    return VisualCode(
        html=html, likeness=best.likeness, ended=ended, attempts=tuple(attempts), mock_up=mock_up
    )


def _prompt(name: str) -> str:
    return files("langchain_kimi.visual_code").joinpath(f"prompts/{name}.md").read_text("utf-8")


def _as_png(picture: Image.Image) -> str:
    held = io.BytesIO()
    picture.save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


def _from_png(png: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
