"""The transport of one chat model: JSON out, JSON or events in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from langchain_kimi.transport.async_client import AsyncBody, AsyncClient
from langchain_kimi.transport.exchange import AsyncExchange, SyncExchange
from langchain_kimi.transport.forms import Form, bare_address, foreign_headers
from langchain_kimi.transport.reply import Reply, encode_body
from langchain_kimi.transport.retry import RetryPolicy
from langchain_kimi.transport.server import EVENTS, JSON, Headers, Server, sealed
from langchain_kimi.transport.stream import AsyncEventStream, EventStream
from langchain_kimi.transport.sync_client import SyncBody, SyncClient
from langchain_kimi.transport.timeout import Timeout


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
        hidden = Headers(dict(headers))
        del headers  # tracebacks may show what stands in a frame
        server = Server(
            base_url=base_url,
            endpoint=endpoint,
            api_key=api_key,
            headers=hidden,
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
        server: Server | None = vars(self).get("_server")
        if server is None:  # shown by a traceback, while its settings are refused
            return f"{type(self).__name__}()"
        return f"{type(self).__name__}(base_url={server.base_url!r}, endpoint={server.endpoint!r})"

    def post(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Post a JSON body and return the JSON reply."""
        return self._call(path, headers, encode_body(body))

    def apost(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> Coroutine[Any, Any, Reply]:
        """Post a JSON body and return the JSON reply, to be awaited."""
        return self._acall(path, headers, encode_body(body))

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Get a path and return the JSON reply."""
        return self._call(path, headers, None)

    def aget(
        self, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Coroutine[Any, Any, Reply]:
        """Get a path and return the JSON reply, to be awaited."""
        return self._acall(path, headers, None)

    def post_form(self, path: str, form: Form) -> Reply:
        """Post a multipart form and return the JSON reply."""
        return self._call(path, {"content-type": form.content_type}, form.body)

    def apost_form(self, path: str, form: Form) -> Coroutine[Any, Any, Reply]:
        """Post a multipart form and return the JSON reply, to be awaited."""
        return self._acall(path, {"content-type": form.content_type}, form.body)

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

    @contextmanager
    def within(self, timeout: Timeout) -> Iterator[Transport]:
        """Give a transport to the same server that waits less and never asks twice.

        Its connections are its own, and closed at the end.
        """
        hasty = type(self).__new__(type(self))
        hasty.__setstate__(
            {
                "server": replace(self._server, timeout=timeout),
                "retries": RetryPolicy(max_retries=0),
            }
        )
        try:
            yield hasty
        finally:
            hasty.close()

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
        server = self._server
        sent = server.request_headers(EVENTS, headers)
        exchange = SyncExchange(self._sync, server, server.url(path), sent, data)
        return EventStream(exchange, server, self.retries, is_output)

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
        server = self._server
        sent = server.request_headers(EVENTS, headers)
        exchange = AsyncExchange(self._async, server, server.url(path), sent, data)
        return AsyncEventStream(exchange, server, self.retries, is_output)

    def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        self._sync.close()
        self._async.pools.close()

    async def aclose(self) -> None:
        """Close all connections; the next request opens new ones."""
        self._sync.close()
        await self._async.pools.aclose()

    def _call(self, path: str, headers: Mapping[str, str] | None, data: bytes | None) -> Reply:
        server = self._server
        sent = server.request_headers(JSON, headers)
        exchange = SyncExchange(self._sync, server, server.url(path), sent, data)
        return self.retries.run(exchange.reply, exchange.alive_at)

    def _acall(
        self, path: str, headers: Mapping[str, str] | None, data: bytes | None
    ) -> Coroutine[Any, Any, Reply]:
        server = self._server
        sent = server.request_headers(JSON, headers)
        exchange = AsyncExchange(self._async, server, server.url(path), sent, data)
        return self.retries.arun(exchange.reply, exchange.alive_at)

    def _put(self, url: str, headers: Headers, data: bytes) -> None:
        body = self._sync.send("PUT", url, headers, data)
        body.read_error()
        self._check_put(body, url)

    async def _aput(self, url: str, headers: Headers, data: bytes) -> None:
        body = await self._async.send("PUT", url, headers, data)
        await body.read_error()
        self._check_put(body, url)

    def _check_put(self, body: SyncBody | AsyncBody, url: str) -> None:
        if not 200 <= body.status < 300:
            raise self._server.refusal(body.status, {}, b"", bare_address(url))

    def __getstate__(self) -> dict[str, Any]:
        """Keep the settings that hold no secret."""
        return {
            "server": replace(self._server, api_key=None, headers=sealed({})),
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
