"""The scripted endpoint as a server in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from langchain_kimi.testing.app import App
from langchain_kimi.testing.dialects import DIALECTS
from langchain_kimi.testing.director import Director, Responder
from langchain_kimi.testing.record import Exchange, Recorder
from langchain_kimi.testing.script import Part, Turn
from langchain_kimi.testing.settings import Settings

DialectName = Literal["nvidia", "vllm", "sglang", "moonshot"]
START_SECONDS = 30.0


class KimiServer:
    """A loopback server that speaks as NVIDIA, vLLM, SGLang or Moonshot do for Kimi.

    It answers from a script; with none left, a stand-in answers by rules and says that it
    is no model. Use it as a context manager, with ``with`` or ``async with``::

        with KimiServer(dialect="vllm") as server:
            server.script(think("Look it up."), call("get_weather", city="Paris"), say("Sun."))
            ...  # a client of server.base_url
            assert server.requests[0]["model"] == "moonshotai/kimi-k2.6"

    Args:
        dialect: ``nvidia``, ``vllm``, ``sglang`` or ``moonshot``.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        api_key: The key that clients must send; None asks for none.
        models: The model ids served; None takes the dialect's own.
        retired_models: Ids that are listed but answer 404, as on NVIDIA.
        context_window: The context in tokens.
        tokens_per_second: The pace of replies; None is instant.
        chunk_chars: The size of the pieces of a stream; None sends each text whole.
        seed: Makes ids and times repeatable.
        faults: Faults that every turn has.
        accepts: More top-level request fields that the nvidia dialect takes.
        parallel_tool_calls: Whether the nvidia dialect takes parallel tool calls.
        record: Whether to keep what was asked; turn it off to serve for long.
        ssl_context: Serve TLS with this context.

    Raises:
        ValueError: For an unknown dialect.
    """

    def __init__(
        self,
        dialect: DialectName = "vllm",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        models: Sequence[str] | None = None,
        retired_models: Sequence[str] = (),
        context_window: int = 262_144,
        tokens_per_second: float | None = None,
        chunk_chars: int | None = 16,
        seed: int | None = None,
        faults: Iterable[Part] = (),
        accepts: Iterable[str] = (),
        parallel_tool_calls: bool = False,
        record: bool = True,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if dialect not in DIALECTS:
            msg = f"Unknown dialect {dialect!r}; choose one of {', '.join(sorted(DIALECTS))}."
            raise ValueError(msg)
        self.dialect: DialectName = dialect
        self.host = host
        self.port = port
        self.settings = Settings(
            models=tuple(DIALECTS[dialect].models if models is None else models),
            retired_models=tuple(retired_models),
            api_key=api_key,
            context_window=context_window,
            tokens_per_second=tokens_per_second,
            chunk_chars=chunk_chars,
            seed=seed,
            faults=tuple(faults),
            accepts=frozenset(accepts),
            parallel_tool_calls=parallel_tool_calls,
        )
        self._ssl_context = ssl_context
        self._director = Director(seed)
        self._recorder = Recorder(keep=record)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None

    @property
    def base_url(self) -> str:
        """The URL to give to a client, ``/v1`` included."""
        scheme = "https" if self._ssl_context else "http"
        return f"{scheme}://{self.host}:{self.port}/v1"

    def pace(self, tokens_per_second: float | None) -> None:
        """Change the pace of replies from now on; None is instant."""
        self.settings.tokens_per_second = tokens_per_second

    def script(self, *parts: Part | Turn) -> None:
        """Append turns to the script; see `langchain_kimi.testing.script`."""
        self._director.add(parts)

    def respond_with(self, responder: Responder | None) -> None:
        """Ask a function for the turn of each request, before the script.

        Args:
            responder: Takes the request body, returns a part, parts of one turn, or None
                for the script (then the stand-in) to answer. It runs in the server's thread.
        """
        self._director.respond_with(responder)

    def clear(self) -> None:
        """Forget the script and what was recorded."""
        self._director.clear()
        self._recorder.clear()

    @property
    def remaining(self) -> int:
        """How many turns of the script are left."""
        return self._director.remaining

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of the chat requests, refused ones too, in the order of arrival."""
        return [
            exchange.body
            for exchange in self._recorder.exchanges
            if exchange.path.partition("?")[0] == "/v1/chat/completions"
        ]

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests of any path, with headers, status and outcome."""
        return self._recorder.exchanges

    @property
    def connections(self) -> int:
        """How many connections clients have made."""
        return len({exchange.peer for exchange in self._recorder.exchanges})

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now."""
        return self._recorder.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were being answered at once."""
        return self._recorder.peak_in_flight

    def start(self) -> Self:
        """Start the server and wait until it listens.

        Raises:
            RuntimeError: When it runs already.
            OSError: When the port is taken.
        """
        if self._thread is not None:
            msg = f"This server runs already, on {self.base_url}; make another KimiServer."
            raise RuntimeError(msg)
        self._started.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="kimi-server", daemon=True)
        self._thread.start()
        self._started.wait(START_SECONDS)
        if self._failure is not None:
            self._thread.join()
            self._thread = None
            raise self._failure
        return self

    def stop(self) -> None:
        """Stop the server; replies that still hang are dropped."""
        if self._thread is None:
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that started us
            self._failure = failure
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        app = App(DIALECTS[self.dialect], self.settings, self._director, self._recorder)
        runner = web.AppRunner(
            app.application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port, ssl_context=self._ssl_context)
            await site.start()
            self.port = runner.addresses[0][1]
            self._started.set()
            await self._stop.wait()
            app.closing.set()
        finally:
            await runner.cleanup()
