"""The transport of one chat model: JSON out, JSON or events in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import SecretStr

from langchain_kimi.transport.async_client import AsyncBody, AsyncClient
from langchain_kimi.transport.forms import Form, bare_address, foreign_headers
from langchain_kimi.transport.reply import Reply, decode_object, encode_body
from langchain_kimi.transport.retry import RetryPolicy
from langchain_kimi.transport.server import Server
from langchain_kimi.transport.stream import AsyncEventStream, EventStream
from langchain_kimi.transport.sync_client import SyncBody, SyncClient
from langchain_kimi.transport.timeout import Timeout

JSON = "application/json"
EVENTS = "text/event-stream"

FIRST_POLL = 0.1
LONGEST_POLL = 2.0
"""Seconds between two looks at a request that was answered 202; they double up to the longest."""


class Transport:
    """Send a chat model's requests and bring back its replies.

    One for each model. Connections are pooled: one pool for each event loop, and one for all
    threads. Pools are made on first use, closed with their event loop, with `close()`/`aclose()`,
    or when the transport goes. Proxies come from the environment as it is at first use; `~/.netrc`
    and cookies are ignored; redirects are not followed; no request and no reply is kept.

    Pickles hold neither the API key nor any header: a loaded transport sends none until a new one
    is built.

    Args:
        base_url: Address of the API, with its `/v1`.
        api_key: Sent as a bearer token; None or empty sends no Authorization header.
        endpoint: Name of the endpoint, for errors.
        headers: Headers of every request; they win over the standard ones.
        timeout: Seconds for each phase.
        max_retries: Repetitions of a request that failed before its first output.
        verify_ssl: True, False, or the path of a CA file or directory.
        polls_202: Whether a 202 is waited for. Polled is only the host that answered, or for
            NVIDIA's hosts NVIDIA's public polling host.

    Raises:
        KimiInvalidInputError: If the address, a header, or the key cannot be sent.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: SecretStr | None,
        endpoint: str,
        headers: Mapping[str, str],
        timeout: Timeout,
        max_retries: int,
        verify_ssl: bool | str,
        polls_202: bool,
    ) -> None:
        server = Server(
            base_url=base_url,
            endpoint=endpoint,
            api_key=api_key,
            headers=dict(headers),
            timeout=timeout,
            verify_ssl=verify_ssl,
            polls_202=polls_202,
        )
        self._connect(server, RetryPolicy(max_retries=max_retries))

    def _connect(self, server: Server, retries: RetryPolicy) -> None:
        self._server = server
        self.retries = retries
        self._sync = SyncClient(server)
        self._async = AsyncClient(server)

    def __repr__(self) -> str:
        server = self._server
        return f"{type(self).__name__}(base_url={server.base_url!r}, endpoint={server.endpoint!r})"

    def post(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Post a JSON body and return the JSON reply."""
        data = encode_body(body)
        return self.retries.run(lambda: self._exchange("POST", path, headers, data))

    async def apost(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Post a JSON body and return the JSON reply."""
        data = encode_body(body)
        return await self.retries.arun(lambda: self._aexchange("POST", path, headers, data))

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Get a path and return the JSON reply."""
        return self.retries.run(lambda: self._exchange("GET", path, headers, None))

    async def aget(self, path: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Get a path and return the JSON reply."""
        return await self.retries.arun(lambda: self._aexchange("GET", path, headers, None))

    def post_form(self, path: str, form: Form) -> Reply:
        """Post a multipart form and return the JSON reply."""
        headers = {"content-type": form.content_type}
        return self.retries.run(lambda: self._exchange("POST", path, headers, form.body))

    async def apost_form(self, path: str, form: Form) -> Reply:
        """Post a multipart form and return the JSON reply."""
        headers = {"content-type": form.content_type}
        return await self.retries.arun(lambda: self._aexchange("POST", path, headers, form.body))

    def put(self, url: str, data: bytes, *, headers: Mapping[str, str]) -> None:
        """Put bytes to an address that the server gave.

        Neither the key nor any header of the model goes there; errors do not show the address's
        query, which holds a signature, nor the reply, which may repeat it.
        """
        sent = foreign_headers(headers)
        self.retries.run(lambda: self._put(url, sent, data))

    async def aput(self, url: str, data: bytes, *, headers: Mapping[str, str]) -> None:
        """Put bytes to an address that the server gave; see `put`."""
        sent = foreign_headers(headers)
        await self.retries.arun(lambda: self._aput(url, sent, data))

    def at(self, base_url: str) -> Transport:
        """Return a transport to another address of the same provider, over the same pools.

        The key and the model's headers go there too.
        """
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self), _server=replace(self._server, base_url=base_url))
        return twin

    def stream(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        is_output: Callable[[dict[str, Any]], bool],
    ) -> EventStream:
        """Post a JSON body and return the events of the streamed reply.

        Args:
            path: Path under the base URL.
            body: Request body.
            headers: Headers of this request.
            is_output: Whether an event holds output. The request is repeated until one does, so
                let it be true as well for the event with the finish reason.
        """
        data = encode_body(body)
        return EventStream(
            lambda: self._send("POST", path, headers, data, EVENTS),
            self._server,
            self.retries,
            is_output,
        )

    def astream(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        is_output: Callable[[dict[str, Any]], bool],
    ) -> AsyncEventStream:
        """Post a JSON body and return the events of the streamed reply; see `stream`."""
        data = encode_body(body)
        return AsyncEventStream(
            lambda: self._asend("POST", path, headers, data, EVENTS),
            self._server,
            self.retries,
            is_output,
        )

    def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        self._sync.close()
        self._async.pools.close()

    async def aclose(self) -> None:
        """Close all connections; the next request opens new ones."""
        self._sync.close()
        await self._async.pools.aclose()

    def _exchange(
        self, method: str, path: str, headers: Mapping[str, str] | None, data: bytes | None
    ) -> Reply:
        body = self._send(method, path, headers, data, JSON)
        return self._reply(body, body.read())

    async def _aexchange(
        self, method: str, path: str, headers: Mapping[str, str] | None, data: bytes | None
    ) -> Reply:
        body = await self._asend(method, path, headers, data, JSON)
        return self._reply(body, await body.read())

    def _reply(self, body: SyncBody | AsyncBody, content: bytes) -> Reply:
        if not content:
            raise self._server.cut_off(body.headers, "there is nothing in it")
        data = decode_object(content)
        if data is None:
            raise self._server.malformed(body.status, body.headers, content)
        return Reply(data, body.headers, body.status)

    def _send(
        self,
        method: str,
        path: str,
        extra: Mapping[str, str] | None,
        data: bytes | None,
        accept: str,
    ) -> SyncBody:
        url = self._server.url(path)
        headers = self._server.request_headers(accept, extra)
        body = self._fetch(url, headers, method, data)
        deadline = time.monotonic() + self._server.timeout.response
        pause = FIRST_POLL
        while body.status == 202:
            polled = self._polling_url(body, url)
            body.read_error()
            if time.monotonic() + pause > deadline:
                late = self._server.too_slow("response", body.headers)
                raise late
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL)
            body = self.retries.run(partial(self._fetch, polled, headers))
        return body

    async def _asend(
        self,
        method: str,
        path: str,
        extra: Mapping[str, str] | None,
        data: bytes | None,
        accept: str,
    ) -> AsyncBody:
        url = self._server.url(path)
        headers = self._server.request_headers(accept, extra)
        body = await self._afetch(url, headers, method, data)
        deadline = time.monotonic() + self._server.timeout.response
        pause = FIRST_POLL
        while body.status == 202:
            polled = self._polling_url(body, url)
            await body.read_error()
            if time.monotonic() + pause > deadline:
                late = self._server.too_slow("response", body.headers)
                raise late
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL)
            body = await self.retries.arun(partial(self._afetch, polled, headers))
        return body

    def _fetch(
        self, url: str, headers: Mapping[str, str], method: str = "GET", data: bytes | None = None
    ) -> SyncBody:
        body = self._sync.send(method, url, headers, data)
        if not 200 <= body.status < 300:
            raise self._server.refusal(body.status, body.headers, body.read_error(), url)
        return body

    async def _afetch(
        self, url: str, headers: Mapping[str, str], method: str = "GET", data: bytes | None = None
    ) -> AsyncBody:
        body = await self._async.send(method, url, headers, data)
        if not 200 <= body.status < 300:
            raise self._server.refusal(body.status, body.headers, await body.read_error(), url)
        return body

    def _put(self, url: str, headers: Mapping[str, str], data: bytes) -> None:
        body = self._sync.send("PUT", url, headers, data)
        body.read_error()
        self._check_put(body, url)

    async def _aput(self, url: str, headers: Mapping[str, str], data: bytes) -> None:
        body = await self._async.send("PUT", url, headers, data)
        await body.read_error()
        self._check_put(body, url)

    def _check_put(self, body: SyncBody | AsyncBody, url: str) -> None:
        if not 200 <= body.status < 300:
            raise self._server.refusal(body.status, {}, b"", bare_address(url))

    def _polling_url(self, body: SyncBody | AsyncBody, url: str) -> str:
        request_id = body.headers.get("nvcf-reqid")
        if not self._server.polls_202 or not request_id:
            body.close()
            raise self._server.unpolled(body.headers)
        return self._server.polling_url(url, request_id)

    def __getstate__(self) -> dict[str, Any]:
        """Keep the settings that hold no secret."""
        return {
            "server": replace(self._server, api_key=None, headers={}),
            "retries": self.retries,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._connect(state["server"], state["retries"])

    def __copy__(self) -> Transport:
        """Copy the settings, the key among them; the copy opens its own connections."""
        twin = type(self).__new__(type(self))
        twin.__setstate__({"server": self._server, "retries": self.retries})
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Transport:
        return self.__copy__()
