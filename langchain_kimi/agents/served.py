"""What the caller of a served graph may choose, and what stays with the operator.

A run's context comes from outside. So a base URL that the caller names never gets the operator's
key, files stay below the operator's folder, and tools that run code are not on offer. The server
does connect to a base URL that a caller names: let only those reach it who may do that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from langchain_kimi.agents.default_model import default_model
from langchain_kimi.endpoints import ENDPOINTS, EndpointName, clean_base_url
from langchain_kimi.tools import ready_tools
from langchain_kimi.tools.root import Root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.tools import BaseTool

    from langchain_kimi.chat_models import ChatKimi

ServedToolSet = Literal["files", "fetch"]

_NO_KEY = "not-needed"
_CACHED = 32


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """What every served graph lets a caller choose of its model."""

    model: str | None = field(
        default=None, metadata={"description": "Model id. Default: moonshotai/kimi-k2.6."}
    )
    base_url: str | None = field(
        default=None,
        metadata={
            "description": "Server of your own, such as http://localhost:8000/v1. Default: what "
            "the server's environment names, else a stand-in that is no model."
        },
    )
    endpoint: EndpointName = field(
        default="auto",
        metadata={"description": "Whose dialect the server speaks; told from the URL by default."},
    )
    thinking: bool = field(
        default=True, metadata={"description": "Whether the model thinks before it answers."}
    )


def chosen_model(choice: ModelChoice | None) -> ChatKimi:
    """Return the model of a run by its context, or the default one without a context."""
    chosen = choice or ModelChoice()
    return served_model(
        model=chosen.model,
        base_url=chosen.base_url,
        endpoint=chosen.endpoint,
        thinking=chosen.thinking,
    )


@lru_cache(maxsize=_CACHED)
def served_model(
    *,
    model: str | None = None,
    base_url: str | None = None,
    endpoint: EndpointName = "auto",
    thinking: bool = True,
) -> ChatKimi:
    """Return the model of a run; runs with the same choice share it and its connections.

    Args:
        model: Model id; None for the default.
        base_url: The server; None for the operator's, by the environment.
        endpoint: Whose dialect it speaks.
        thinking: Whether the model thinks.

    Returns:
        The model. It has a key only for servers that the operator's environment names, and for
        the public hosts that the keys belong to.
    """
    key = _NO_KEY if base_url and not _is_trusted(base_url) else None
    return default_model(
        model=model, base_url=base_url, endpoint=endpoint, api_key=key, thinking=thinking
    )


def served_tools(
    names: Sequence[str], *, base: Path, root: str = ".", hosts: Sequence[str] = ()
) -> Sequence[BaseTool]:
    """Return the tools of a run.

    Args:
        names: `files` and `fetch`.
        base: The operator's folder.
        root: A folder below it.
        hosts: The hosts that `fetch` may reach; they must have public addresses.

    Returns:
        The tools.

    Raises:
        ValueError: When a set is not on offer, or `fetch` has no hosts.
        ToolException: When `root` lies outside `base`.
    """
    return _served_tools(tuple(names), base, root, tuple(hosts))


@lru_cache(maxsize=_CACHED)
def _served_tools(
    names: tuple[str, ...], base: Path, root: str, hosts: tuple[str, ...]
) -> tuple[BaseTool, ...]:
    refused = sorted(set(names) - set(get_args(ServedToolSet)))
    if refused:
        offered = ", ".join(get_args(ServedToolSet))
        msg = f"The tool set {', '.join(refused)} is not served. Choose from: {offered}."
        raise ValueError(msg)
    tools, _ = ready_tools(names, root=Root(base).resolve(root), hosts=hosts)
    return tuple(tools)


def _is_trusted(base_url: str) -> bool:
    """Say whether a URL is one that the operator's keys are meant for."""
    url = clean_base_url(base_url)
    own = (os.environ.get(name) for name in ("KIMI_BASE_URL", "NVIDIA_BASE_URL"))
    known = {clean_base_url(named) for named in own if named}
    return url in known | {row.default_base_url for row in ENDPOINTS.values()}
