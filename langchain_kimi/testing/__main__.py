"""Serve the scripted endpoint: ``python -m langchain_kimi.testing --dialect nvidia``."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence

from langchain_kimi.testing.dialects import DIALECTS
from langchain_kimi.testing.server import KimiServer


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m langchain_kimi.testing",
        description="Serve a stand-in for a Kimi endpoint. It is no model and says so.",
    )
    made.add_argument("--dialect", choices=sorted(DIALECTS), default="vllm")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=8123, help="0 takes a free port")
    made.add_argument("--api-key", help="the key that clients must send; none by default")
    made.add_argument("--model", action="append", help="a model id to serve; may be repeated")
    made.add_argument("--tokens-per-second", type=float, help="the pace; instant by default")
    made.add_argument("--seed", type=int, help="makes ids and times repeatable")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    options = parser().parse_args(arguments)
    server = KimiServer(
        options.dialect,
        host=options.host,
        port=options.port,
        api_key=options.api_key,
        models=options.model,
        tokens_per_second=options.tokens_per_second,
        seed=options.seed,
        record=False,
    )
    with server:
        sys.stdout.write(f"Stand-in (no model) speaking {server.dialect} on {server.base_url}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("stopped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
