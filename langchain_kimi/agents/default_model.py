"""The model of an agent that was given none: your endpoint, or a stand-in that says it is one."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from langchain_kimi.binding import KimiBinding
from langchain_kimi.chat_models import DEFAULT_MODEL, ChatKimi

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from pydantic import SecretStr

    from langchain_kimi.endpoints import EndpointName
    from langchain_kimi.testing import KimiServer

logger = logging.getLogger(__name__)

STAND_IN_NOTICE = (
    "No API key and no base URL are set: a stand-in answers by rules. It is no model. "
    "Set NVIDIA_API_KEY or MOONSHOT_API_KEY, or KIMI_BASE_URL for a server of your own."
)

_servers: list[KimiServer] = []
_lock = threading.Lock()


def default_model(
    *,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    base_url: str | None = None,
    endpoint: EndpointName = "auto",
    **options: Any,
) -> ChatKimi:
    """Make a `ChatKimi` from what is known: arguments, then environment, then a stand-in.

    An argument that names a server or a key is taken as it is. Else `KIMI_BASE_URL` or
    `NVIDIA_BASE_URL` name a server, `NVIDIA_API_KEY` NVIDIA's, `MOONSHOT_API_KEY` Moonshot's.
    With none of them the scripted endpoint of `langchain_kimi.testing` is started in this
    process, answers by rules, and says once in the log that it is no model.

    Args:
        model: Model id; default `moonshotai/kimi-k2.6`.
        api_key: The key.
        base_url: The server.
        endpoint: Whose dialect the server speaks; told from the URL by default.
        **options: Further fields of `ChatKimi`, such as `thinking=False`.

    Returns:
        The model.
    """
    model = model or DEFAULT_MODEL
    if not (api_key or base_url or endpoint != "auto"):
        base_url = os.environ.get("KIMI_BASE_URL") or os.environ.get("NVIDIA_BASE_URL") or None
        if base_url is None and not os.environ.get("NVIDIA_API_KEY"):
            if not os.environ.get("MOONSHOT_API_KEY"):
                return _stand_in(model, options)
            endpoint = "moonshot"
    return ChatKimi(model=model, api_key=api_key, base_url=base_url, endpoint=endpoint, **options)


def is_stand_in(model: BaseChatModel | KimiBinding) -> bool:
    """Say whether a model is answered by this process's stand-in."""
    asked = model.chat_model if isinstance(model, KimiBinding) else model
    return isinstance(asked, ChatKimi) and asked.base_url in {s.base_url for s in _servers}


def pace_stand_in(tokens_per_second: float | None) -> None:
    """Let this process's stand-in write at a pace, as a model does; None for at once."""
    for server in _servers:
        server.pace(tokens_per_second)


def _stand_in(model: str, options: dict[str, Any]) -> ChatKimi:
    server = _stand_in_server()
    return ChatKimi(
        model=model,
        api_key="stand-in",
        base_url=server.base_url,
        endpoint="vllm",
        **options,
    )


def _stand_in_server() -> KimiServer:
    """Start the stand-in once for this process; it ends with it."""
    from langchain_kimi.testing import KimiServer  # noqa: PLC0415  a web server, rarely needed

    with _lock:
        if not _servers:
            server = KimiServer(dialect="vllm").start()
            atexit.register(server.stop)
            _servers.append(server)
            logger.warning(STAND_IN_NOTICE)
        return _servers[0]
