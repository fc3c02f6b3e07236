"""The server that a transport talks to: addresses, headers, and how its failures are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import Secret, SecretStr

from langchain_kimi._version import __version__
from langchain_kimi.errors import (
    KimiConnectionError,
    KimiError,
    KimiInvalidInputError,
    KimiServerError,
    KimiTimeoutError,
    KimiTruncatedStreamError,
    clean_name,
    from_event,
    from_response,
    redact,
    request_id_of,
)
from langchain_kimi.transport.timeout import Timeout

JSON = "application/json"
EVENTS = "text/event-stream"

ERROR_BODY_LIMIT = 65_536
"""Bytes of an error's body that are read."""

DRAIN_SECONDS = 0.25
"""How long the end of a stream is waited for after `[DONE]`, so that its connection is reused."""

STALE_SECONDS = 5.0
"""A kept connection that breaks later than this after sending was not stale: the server failed."""

_POLLING_PATH = "/v2/nvcf/pexec/status/"
_NVIDIA_POLLING = f"https://api.nvcf.nvidia.com{_POLLING_PATH}"
_NVIDIA_HOST = re.compile(r"(?:[\w-]+\.)*api(?:\.nvcf)?\.nvidia\.com")
_OPEN_HEADERS = frozenset({"accept", "accept-language", "nvcf-poll-seconds", "user-agent"})
_SHORTEST_SECRET = 4
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_PLAIN_ID = re.compile(r"(?!.*(?:nvapi|sk|ak)-)[\w.:-]{1,100}", re.ASCII)


class Headers(Secret[Mapping[str, str]]):
    """Headers of requests: shown nowhere but on the wire."""


def open_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that hold no secret: a few standard ones; any other may."""
    return {name: value for name, value in headers.items() if name.lower() in _OPEN_HEADERS}


def sealed(*parts: Mapping[str, str]) -> Headers:
    """Put headers together; names that differ in case only are one header, and the last wins."""
    return Headers({name.lower(): value for part in parts for name, value in part.items()})


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where requests go, what they carry, and the words for what goes wrong.

    Attributes:
        base_url: Address of the API, with its `/v1`, without a trailing slash.
        endpoint: Name of the endpoint, for errors.
        api_key: Bearer token; never shown.
        headers: Headers of every request; they win over the standard ones.
        timeout: Seconds for each phase.
        verify_ssl: True, False, or the path of a CA file or directory.
        polls_202: Whether a 202 is waited for.
    """

    base_url: str
    endpoint: str
    api_key: SecretStr | None = field(default=None, repr=False)
    headers: Headers = field(default_factory=sealed, repr=False)
    timeout: Timeout = field(default_factory=Timeout)
    verify_ssl: bool | str = True
    polls_202: bool = False
    _prepared: Mapping[str, Headers] = field(init=False, repr=False, compare=False)
    _secrets: Secret[tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = f"base_url is {self.base_url!r}: give an http:// or https:// address with a host."
            raise KimiInvalidInputError(msg)
        if "@" in parts.netloc:
            msg = (
                "base_url holds a user name or password: leave them out and pass them in"
                " default_headers={'Authorization': 'Basic ...'}."
            )
            raise KimiInvalidInputError(msg)
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        prepared = {accept: self._prepare(accept) for accept in (JSON, EVENTS)}
        _refuse(_unsendable(self.headers) or _unsendable(prepared[JSON]))
        object.__setattr__(self, "_prepared", prepared)
        object.__setattr__(self, "_secrets", self._hidden())

    def url(self, path: str) -> str:
        """Return the address of a path under the base URL."""
        return f"{self.base_url}/{path.lstrip('/')}"

    def request_headers(self, accept: str, extra: Mapping[str, str] | None) -> Headers:
        """Return the headers of a request.

        Args:
            accept: `JSON` or `EVENTS`.
            extra: Headers of this request; they win over those of every request.
        """
        prepared = self._prepared[accept]
        if not extra:
            return prepared
        check_headers(extra)
        return sealed(prepared.get_secret_value(), extra)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the server's id of a request from its reply headers, bounded and without keys."""
        found = request_id_of(headers)
        if found is None:
            return None
        secrets = self._secrets.get_secret_value()
        if _PLAIN_ID.fullmatch(found):
            for secret in secrets:
                if secret in found:
                    break
            else:
                return found
        return clean_name(found, secrets) or None

    def polling_url(self, answered_url: str, request_id: str) -> str:
        """Return where a 202 is polled, which is never a third party's host.

        NVIDIA's hosts are polled at NVIDIA's public polling host, any other host at itself.
        """
        parts = urlsplit(answered_url)
        quoted = quote(request_id, safe="")
        if parts.scheme == "https" and _NVIDIA_HOST.fullmatch(parts.hostname or ""):
            return _NVIDIA_POLLING + quoted
        return f"{parts.scheme}://{parts.netloc}{_POLLING_PATH}{quoted}"

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes, url: str) -> KimiError:
        """Return the error for a reply that is no success."""
        text = body.decode("utf-8", "replace")
        return from_response(
            status, headers, text, self.endpoint, url=url, secrets=self._secrets.get_secret_value()
        )

    def unreachable(self, url: str, cause: BaseException | str) -> KimiConnectionError:
        """Return the error for a connection that does not come about or breaks before a reply."""
        text = (
            f"{self.endpoint} ({_address(url)}) cannot be reached: {_words(cause)}.\n"
            "Check base_url=, the network, proxy variables (HTTPS_PROXY, NO_PROXY) and, for TLS,"
            " verify_ssl=."
        )
        error = KimiConnectionError(self._clean(text), endpoint=self.endpoint)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            error.is_retryable = False
        return error

    def cut_off(self, headers: Mapping[str, str], cause: BaseException | str) -> KimiError:
        """Return the error for a reply that broke off."""
        text = f"{self.endpoint} ({self.base_url}) broke off its reply: {_words(cause)}."
        return KimiTruncatedStreamError(
            self._clean(text), endpoint=self.endpoint, request_id=self.request_id(headers)
        )

    def too_slow(self, phase: str, headers: Mapping[str, str] | None = None) -> KimiTimeoutError:
        """Return the error for a phase that took too long."""
        seconds = getattr(self.timeout, phase)
        what = {
            "connect": "did not accept a connection",
            "response": "did not begin to reply",
            "idle": "stopped in the middle of its reply and sent nothing",
        }[phase]
        text = (
            f"{self.endpoint} ({self.base_url}) {what} within {seconds:g} s."
            f" Raise Timeout({phase}=...) if that is too short."
        )
        request_id = self.request_id(headers or {})
        return KimiTimeoutError(text, endpoint=self.endpoint, request_id=request_id)

    def malformed(self, status: int, headers: Mapping[str, str], body: bytes | str) -> KimiError:
        """Return the error for a reply that is no JSON object."""
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        excerpt = self._clean(text[:ERROR_BODY_LIMIT])
        msg = (
            f"{self.endpoint} ({self.base_url}) answered {status} with something that is no JSON"
            f" object: {excerpt[:200]!r}. Check that base_url= is the API's address."
        )
        return KimiServerError(
            msg,
            status=status,
            endpoint=self.endpoint,
            request_id=self.request_id(headers),
            body=excerpt[:2000],
        )

    def error_event(self, event: Mapping[str, Any], headers: Mapping[str, str]) -> KimiError:
        """Return the error for an error event inside a stream."""
        return from_event(
            event,
            self.endpoint,
            url=self.base_url,
            request_id=self.request_id(headers),
            secrets=self._secrets.get_secret_value(),
        )

    def unpolled(self, headers: Mapping[str, str]) -> KimiError:
        """Return the error for a 202 that cannot be waited for."""
        why = "without a request id (NVCF-REQID)" if self.polls_202 else "and is not polled"
        msg = f"{self.endpoint} ({self.base_url}) answered 202 Accepted {why}: there is no reply."
        return KimiServerError(
            msg, status=202, endpoint=self.endpoint, request_id=self.request_id(headers)
        )

    def _prepare(self, accept: str) -> Headers:
        standard = {
            "accept": accept,
            "accept-encoding": "identity",
            "content-type": JSON,
            "user-agent": f"langchain-kimi/{__version__}",
        }
        key = self.api_key.get_secret_value().strip() if self.api_key else ""
        if key:
            standard["authorization"] = f"Bearer {key}"
        return sealed(standard, self.headers.get_secret_value())

    def _hidden(self) -> Secret[tuple[str, ...]]:
        """Return what must not be shown: the key, and headers but the open ones, whole and bare."""
        headers = self.headers.get_secret_value()
        kept = [value for _, value in headers.items() - open_headers(headers).items()]
        bare = [part.split("=", 1)[-1] for value in kept for part in re.split(r"[;,]\s*", value)]
        found = [one for value in (*kept, *bare) for one in (value.strip(), value.split(" ")[-1])]
        found = [value for value in found if len(value) >= _SHORTEST_SECRET]
        if self.api_key:
            found.append(self.api_key.get_secret_value().strip())
        return Secret[tuple[str, ...]](tuple(filter(None, found)))

    def _clean(self, text: str) -> str:
        return redact(text, self._secrets.get_secret_value())


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that HTTP cannot carry, naming the header and never its value."""
    _refuse(_unsendable(Headers(headers)))


def _unsendable(headers: Headers) -> str | None:
    """Return the name of a header that HTTP cannot carry."""
    for name, value in headers.get_secret_value().items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            return name
    return None


def _refuse(header: str | None) -> None:
    """Raise where there is such a header, in a frame that does not hold its value."""
    if header is not None:
        msg = (
            f"The header {header!r} (Authorization is made from api_key) holds a line break or"
            " another character that HTTP headers cannot carry. Check for a stray newline."
        )
        raise KimiInvalidInputError(msg)


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _words(cause: BaseException | str) -> str:
    if isinstance(cause, str):
        return cause
    text = " ".join(str(cause).split())
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
