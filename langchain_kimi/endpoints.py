"""Quirks of servers: one row an endpoint. What differs by model stands in `models.py`.

A row says which switch turns thinking off, which field carries reasoning, what is refused and
what is locked. Nothing else in the package asks which server it talks to.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from langchain_kimi.errors import KimiInvalidInputError

__all__ = [
    "ENDPOINTS",
    "Endpoint",
    "EndpointName",
    "is_nvidia_hosted",
    "resolve_endpoint",
    "row_of",
]

EndpointName = Literal["auto", "nvidia", "vllm", "sglang", "moonshot"]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """What is true of a server whatever Kimi it serves."""

    name: str
    thinking_switch: Literal["chat_template_kwargs", "thinking"]
    """The request field that switches thinking. The other one is refused by NVIDIA
    (`Unsupported parameter(s)`) and ignored in silence by vLLM."""
    reasoning_fields: tuple[str, ...]
    """The message fields under which history carries reasoning. vLLM 0.19 reads only
    `reasoning`, SGLang only `reasoning_content`, vLLM 0.33 either."""
    api_key_env: str = "NVIDIA_API_KEY"
    base_url_env: str | None = "NVIDIA_BASE_URL"
    default_base_url: str | None = None
    budget_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    max_output_tokens: int | None = None
    """The largest token budget a request may ask for."""
    locks_sampling: bool = False
    """Whether temperature, top_p and penalties are fixed: sending them is an error there."""
    bare_model_id: bool = False
    """Whether ids carry no vendor prefix (`kimi-k2.6`, not `moonshotai/kimi-k2.6`)."""
    polls_202: bool = False
    """Whether a long request may answer 202 with a status route to poll."""
    tokenizer_route: Literal["tokenize", "estimate"] | None = None
    """The route that counts tokens exactly, if there is one."""
    structured_output: Literal["response_format", "prompt"] = "response_format"
    """How a JSON schema binds the answer; `prompt`: only the prompt carries it. For Kimi on
    NVIDIA's catalog no decoder field is documented, and unknown fields are refused there."""
    states_schema: bool = False
    """Whether the server puts the schema into the prompt itself."""
    grammar_forbids_tools: bool = True
    """Whether a schema for the answer keeps the model from calling tools (inferred: vLLM and
    SGLang bind all that follows the thoughts)."""
    native_video: bool = False
    """Whether a video can be sent as a video; elsewhere its frames are (vLLM answers 500)."""
    uploads: Literal["files", "assets"] | None = None
    """The route that takes large media beforehand: Moonshot's files (`ms://id`), NVIDIA's assets
    (`data:image/png;asset_id,id`)."""
    picture_formats: tuple[str, ...] = ("image/png", "image/jpeg", "image/webp", "image/gif")
    """The types of pictures that are sent; others become one of them."""
    hoists_pictures: bool = False
    """Whether all pictures of a message come to stand before its text, so that text between them
    refers to them by number (seen on vLLM without `--interleave-mm-strings`; inferred for SGLang,
    and for NVIDIA's catalog, which runs the containers of NIM)."""
    unparsed_thinking: bool = False
    """Whether a server of this kind may run without a reasoning parser, so that thoughts and a
    closing `</think>` come as content."""


ENDPOINTS: dict[str, Endpoint] = {
    "nvidia": Endpoint(
        name="nvidia",
        thinking_switch="chat_template_kwargs",
        reasoning_fields=("reasoning_content",),
        default_base_url="https://integrate.api.nvidia.com/v1",
        max_output_tokens=65_536,
        polls_202=True,
        structured_output="prompt",
        uploads="assets",
        picture_formats=("image/png", "image/jpeg"),
        hoists_pictures=True,
    ),
    "vllm": Endpoint(
        name="vllm",
        thinking_switch="chat_template_kwargs",
        reasoning_fields=("reasoning", "reasoning_content"),
        tokenizer_route="tokenize",
        hoists_pictures=True,
        unparsed_thinking=True,
    ),
    "sglang": Endpoint(
        name="sglang",
        thinking_switch="chat_template_kwargs",
        reasoning_fields=("reasoning", "reasoning_content"),
        hoists_pictures=True,
        unparsed_thinking=True,
    ),
    "moonshot": Endpoint(
        name="moonshot",
        thinking_switch="thinking",
        reasoning_fields=("reasoning_content",),
        api_key_env="MOONSHOT_API_KEY",
        base_url_env=None,
        default_base_url="https://api.moonshot.ai/v1",
        budget_field="max_completion_tokens",
        locks_sampling=True,
        bare_model_id=True,
        tokenizer_route="estimate",
        states_schema=True,
        grammar_forbids_tools=False,
        native_video=True,
        uploads="files",
    ),
}

_HOSTS = {
    "integrate.api.nvidia.com": "nvidia",
    "ai.api.nvidia.com": "nvidia",
    "api.moonshot.ai": "moonshot",
    "api.moonshot.cn": "moonshot",
}
"""Public hosts to their row. Any other host is taken for a vLLM: self-hosted NIM runs on it."""

_ROUTES = ("/chat/completions", "/completions", "/models", "/embeddings", "/responses")


def resolve_endpoint(endpoint: str, base_url: str | None) -> tuple[Endpoint, str]:
    """Decide which row applies and which base URL is used.

    Args:
        endpoint: A row's name, or `auto` to tell it from the URL.
        base_url: The user's URL, or None for the environment's and then the row's default.

    Returns:
        The row and the base URL, which ends in `/v1`.

    Raises:
        KimiInvalidInputError: The name is unknown, the URL is unusable, a self-hosted endpoint
            has no URL, or the URL is a public host that takes another endpoint's keys.
    """
    if endpoint != "auto" and endpoint not in ENDPOINTS:
        msg = f"endpoint={endpoint!r} is unknown; use one of: auto, {', '.join(ENDPOINTS)}"
        raise KimiInvalidInputError(msg)
    row = ENDPOINTS.get(endpoint)
    if base_url is None and (row is None or row.base_url_env):
        base_url = os.environ.get("NVIDIA_BASE_URL") or None
    if base_url is None:
        row = row or ENDPOINTS["nvidia"]
        base_url = row.default_base_url
    if base_url is None:
        msg = (
            f"endpoint={endpoint!r} is self-hosted and has no default address; "
            "pass base_url, for example 'http://localhost:8000/v1'"
        )
        raise KimiInvalidInputError(msg)
    url = clean_base_url(base_url)
    row, host = row_of(endpoint, url), row_of("auto", url)
    if is_public_host(url) and row.api_key_env != host.api_key_env:
        msg = (
            f"endpoint={endpoint!r} would send the key of {row.api_key_env} to {url}, which is "
            f"{host.name}'s; pass endpoint={host.name!r}, or another base_url"
        )
        raise KimiInvalidInputError(msg)
    return row, url


@functools.lru_cache(maxsize=256)
def row_of(endpoint: str, base_url: str) -> Endpoint:
    """Return the row of an endpoint by name, or for `auto` by its address."""
    name = endpoint if endpoint in ENDPOINTS else _HOSTS.get(urlsplit(base_url).hostname or "")
    return ENDPOINTS[name or "vllm"]


def clean_base_url(base_url: str) -> str:
    """Return `base_url` ending in `/v1`; a proxy prefix is kept (`https://proxy/nim/v1`).

    Raises:
        KimiInvalidInputError: It is no http(s) URL, carries credentials, a query or a fragment,
            or names a route instead of the deployment.
    """
    no_url = "base_url must be an http(s) URL such as 'http://localhost:8000/v1'"
    try:
        parts = urlsplit(base_url)
    except ValueError:  # half an IPv6 address, or brackets around a name
        raise KimiInvalidInputError(no_url) from None
    path = parts.path.rstrip("/")
    if parts.scheme not in {"http", "https"} or not _is_host(parts):
        raise KimiInvalidInputError(no_url)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = (
            f"base_url for {parts.hostname} carries credentials, a query or a fragment, which "
            "could end up in logs; pass the key as api_key and other values as default_headers"
        )
        raise KimiInvalidInputError(msg)
    if path.endswith(_ROUTES):
        msg = f"base_url ends in {path!r}, a route; pass the deployment's root or its /v1"
        raise KimiInvalidInputError(msg)
    if not path.endswith("/v1"):
        path += "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _is_host(parts: SplitResult) -> bool:
    """Whether an address names a host, and a port if any, that can be looked up."""
    try:
        _ = parts.port  # out of range, or no number
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        return False
    return host.isprintable() and not set(host) & set(' \\"<>^`{|}') and bool(host)


def is_public_host(base_url: str) -> bool:
    """Whether the URL is a public host of NVIDIA's or Moonshot's."""
    return urlsplit(base_url).hostname in _HOSTS


def is_nvidia_hosted(base_url: str) -> bool:
    """Whether the URL is one of NVIDIA's public hosts."""
    return _HOSTS.get(urlsplit(base_url).hostname or "") == "nvidia"
