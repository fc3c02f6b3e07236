"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
MaxSteps = Annotated[int | None, typer.Option("--max-steps", min=1, help="Model calls at most.")]
Yes = Annotated[
    bool, typer.Option("--yes", help="Run Python and shell commands without asking each time.")
]
