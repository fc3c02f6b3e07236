"""What the caller of a served graph may choose, and what stays with the operator.

A run's context comes from outside. So a base URL that the caller names never gets the operator's
key, files stay below the operator's folder, and tools that run code are not on offer. The server
does connect to a base URL that a caller names: let only those reach it who may do that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.tools import ToolException
from pydantic import ConfigDict, TypeAdapter, ValidationError

from langchain_kimi.agents.default_model import default_model
from langchain_kimi.endpoints import ENDPOINTS, EndpointName, clean_base_url, row_of
from langchain_kimi.errors import (
    KimiAuthenticationError,
    KimiContextOverflowError,
    KimiError,
    KimiInvalidInputError,
)
from langchain_kimi.tools import ready_tools
from langchain_kimi.tools.root import Root

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

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

    def __post_init__(self) -> None:
        """Check the types of all fields, those of subclasses too: a context comes as JSON.

        Raises:
            KimiInvalidInputError: When a value is of another type.
        """
        schema: Any = type(self)
        for name, adapter in _types_of(schema).items():
            value = getattr(self, name)
            try:
                adapter.validate_python(tuple(value) if isinstance(value, list) else value)
            except ValidationError as error:
                msg = f"{name}: {_refused_values(error)}"
                raise KimiInvalidInputError(msg) from None


@cache
def _types_of(schema: type[ModelChoice]) -> dict[str, TypeAdapter[Any]]:
    """Return what checks each field; strict, since `"no"` would pass for a bool."""
    hints = get_type_hints(schema)
    strict = ConfigDict(strict=True)
    return {one.name: TypeAdapter(hints[one.name], config=strict) for one in fields(schema)}


class ServedRunError(ValueError):
    """What went wrong with the model that a caller chose.

    LangGraph Server shows callers the text of a ValueError, and of other errors only the name.
    """


class PlainErrors(AgentMiddleware[AgentState[Any], Any, Any]):
    """Lets the caller of a served graph read why the chosen model did not answer.

    Errors that the agent itself treats stay what they are: an overflow of the context, and a
    reply that broke off.
    """

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model."""
        try:
            return handler(request)
        except KimiError as error:
            raise _shown(error) from error

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Call the model."""
        try:
            return await handler(request)
        except KimiError as error:
            raise _shown(error) from error


def _shown(error: KimiError) -> Exception:
    if isinstance(error, KimiContextOverflowError | ValueError) or error.partial is not None:
        return error
    return ServedRunError(f"{type(error).__name__}: {error}")


def chosen_model(choice: ModelChoice | None) -> ChatKimi:
    """Return the model of a run by its context, or the default one without a context.

    Raises:
        KimiInvalidInputError: When the choice cannot be served, before any request is made.
    """
    chosen = choice or ModelChoice()
    try:
        model = served_model(
            model=chosen.model,
            base_url=chosen.base_url,
            endpoint=chosen.endpoint,
            thinking=chosen.thinking,
        )
        _ = model.transport  # is refused without a key where one is needed
    except ValidationError as error:
        raise KimiInvalidInputError(_refused_values(error)) from None
    except KimiAuthenticationError as error:
        raise KimiInvalidInputError(str(error)) from None
    return model


def _refused_values(error: ValidationError) -> str:
    """Say what was wrong with which values, and not the values, which may be secret."""
    details = error.errors(include_url=False, include_input=False)
    said = (
        [*map(str, detail["loc"]), detail["msg"].removeprefix("Value error, ")]
        for detail in details
    )
    return "; ".join(": ".join(parts) for parts in said)


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

    Raises:
        KimiInvalidInputError: When the endpoint does not fit a server of the operator's.
    """
    key = _NO_KEY if base_url and not _is_trusted(base_url, endpoint) else None
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
        KimiInvalidInputError: When a set is not on offer, `fetch` has no hosts, or `root` is no
            folder below `base`.
    """
    if isinstance(names, str) or isinstance(hosts, str):
        msg = "tools and allowed_hosts are lists, such as ['files']."
        raise KimiInvalidInputError(msg)
    try:
        return _served_tools(tuple(map(str, names)), base, str(root), tuple(map(str, hosts)))
    except (ToolException, OSError) as error:
        msg = f"root={root!r} is not served: {error}"
        raise KimiInvalidInputError(msg) from None


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


def _is_trusted(base_url: str, endpoint: EndpointName) -> bool:
    """Say whether a URL is one that the operator's keys are meant for."""
    url = clean_base_url(base_url)
    own = (os.environ.get(name) for name in ("KIMI_BASE_URL", "NVIDIA_BASE_URL"))
    known = {clean_base_url(named) for named in own if named}
    known |= {row.default_base_url for row in ENDPOINTS.values() if row.default_base_url}
    if url not in known:
        return False
    meant, named = row_of("auto", url).api_key_env, row_of(endpoint, url).api_key_env
    if meant != named:
        msg = f"endpoint={endpoint!r} does not fit {url}: it would get the key of {named}."
        raise KimiInvalidInputError(msg)
    return True
