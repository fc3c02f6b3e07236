"""Options that several commands share."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer


class EndpointChoice(StrEnum):
    """Whose dialect the server speaks."""

    AUTO = "auto"
    NVIDIA = "nvidia"
    VLLM = "vllm"
    SGLANG = "sglang"
    MOONSHOT = "moonshot"


Model = Annotated[
    str | None, typer.Option("--model", help="Model id. Default: moonshotai/kimi-k2.6.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="The server. Default: KIMI_BASE_URL or NVIDIA_BASE_URL, else the host of the API key "
        "in NVIDIA_API_KEY or MOONSHOT_API_KEY, else a stand-in that is no model.",
    ),
]
Endpoint = Annotated[
    EndpointChoice,
    typer.Option("--endpoint", help="Whose dialect the server speaks; told from the URL."),
]
Thinking = Annotated[
    bool, typer.Option("--thinking/--no-thinking", help="Whether the model thinks first.")
]
Tools = Annotated[
    str,
    typer.Option("--tools", help="Tool sets, by commas: files, fetch, python, shell; or none."),
]
Root = Annotated[
    Path,
    typer.Option("--root", help="The folder that the tools work in.", file_okay=False, exists=True),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="A host that fetch may reach; may be repeated."),
]
Folder = Annotated[
    Path, typer.Option("--folder", help="Where journal, report, artifacts and any index are kept.")
]
MaxSteps = Annotated[int | None, typer.Option("--max-steps", min=1, help="Model calls at most.")]
Price = Annotated[
    str | None,
    typer.Option(
        "--price",
        help="Price of a million tokens, INPUT,OUTPUT or INPUT,OUTPUT,CACHED. Default: "
        "KIMI_PRICE_INPUT, KIMI_PRICE_OUTPUT, KIMI_PRICE_CACHED_INPUT; else money is not told.",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Run Python and shell commands without asking each time.")
]


def not_empty(text: str) -> str:
    """Refuse a text that says nothing, before it costs a run."""
    if not text.strip():
        msg = "it is empty"
        raise typer.BadParameter(msg)
    return text


def _model(
    *, model: Model = None, base_url: BaseUrl = None, endpoint: Endpoint = EndpointChoice.AUTO
) -> dict[str, Any]:
    """Return what the options of a model stand for."""
    from langchain_kimi.cli import commands  # noqa: PLC0415  takes seconds, `--help` is quick

    chosen = commands.Connection(model=model, base_url=base_url, endpoint=endpoint.value)
    return {"connection": chosen}


def _agent(
    *,
    model: Model = None,
    base_url: BaseUrl = None,
    endpoint: Endpoint = EndpointChoice.AUTO,
    thinking: Thinking = True,
    tools: Tools = "files",
    root: Root = Path(),
    host: Hosts = None,
    yes: Yes = False,
) -> dict[str, Any]:
    """Return what the options of an agent stand for."""
    from langchain_kimi.cli import commands  # noqa: PLC0415  takes seconds, `--help` is quick

    return {
        "connection": commands.Connection(
            model=model, base_url=base_url, endpoint=endpoint.value, thinking=thinking
        ),
        "toolbox": commands.Toolbox(names=tools, root=root, hosts=host or [], yes=yes),
    }


def _long_run(
    *,
    folder: Folder = Path(".langchain-kimi"),
    subagents: Annotated[int, typer.Option("--subagents", min=1, help="Sub-agents.")] = 300,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of the whole tree.")] = 4000,
    rpm: Annotated[
        int | None, typer.Option("--rpm", min=1, help="Requests a minute, over the whole tree.")
    ] = None,
    price: Price = None,
    again: Annotated[
        bool, typer.Option("--again", help="Forget what was done for this before; begin anew.")
    ] = False,
) -> dict[str, Any]:
    """Return what the options of a run with sub-agents stand for."""
    from langchain_kimi.cli import commands  # noqa: PLC0415  takes seconds, `--help` is quick

    return {
        "run": commands.LongRun(
            folder=folder, subagents=subagents, steps=steps, rpm=rpm, price=price, again=again
        )
    }


def _given(
    read: Callable[..., dict[str, Any]], *values: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a decorator that gives a command the options of `read`, and it what they stand for."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        shared = inspect.signature(read).parameters
        own = inspect.signature(command).parameters.values()
        parameters = [one for one in own if one.name not in values]
        at = sum(one.kind is not one.KEYWORD_ONLY for one in parameters)
        parameters[at:at] = shared.values()

        @wraps(command)
        def with_options(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in shared}
            command(**read(**chosen), **given)

        # typer reads both
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {one.name: one.annotation for one in parameters}
        return with_options

    return decorate


of_a_model = _given(_model, "connection")
of_an_agent = _given(_agent, "connection", "toolbox")
of_a_long_run = _given(_long_run, "run")
