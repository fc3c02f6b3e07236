"""Addresses in messages are the server's to fetch, or refused; nothing here connects to them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from langchain_core.messages import HumanMessage

from langchain_kimi import ChatKimi
from langchain_kimi.content import image
from langchain_kimi.errors import KimiError, KimiInvalidInputError
from langchain_kimi.testing import KimiServer, say


@pytest.fixture
def inside() -> Iterator[socket.socket]:
    """A service of this machine that nobody but its owner may reach."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def was_reached(listening: socket.socket) -> bool:
    """A connection waits in the backlog, whether it was accepted or not."""
    try:
        listening.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_the_trap_works(inside: socket.socket) -> None:
    with socket.create_connection(inside.getsockname()):
        assert was_reached(inside)


@pytest.mark.parametrize("dialect", ["nvidia", "vllm", "sglang", "moonshot"])
@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize("form", ["openai", "standard"])
def test_an_address_in_a_message_is_never_fetched_here(
    inside: socket.socket, dialect: str, kind: str, form: str
) -> None:
    url = f"http://127.0.0.1:{inside.getsockname()[1]}/latest/meta-data"
    block = (
        {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
        if form == "openai"
        else {"type": kind, "url": url}
    )
    messages = [HumanMessage([{"type": "text", "text": "What is it?"}, block])]
    with KimiServer(dialect=dialect) as server:
        server.script(say("Nothing."))
        llm = ChatKimi(base_url=server.base_url, api_key="any", endpoint=dialect)
        try:
            llm.get_num_tokens_from_messages(messages)
            llm.invoke(messages)
        except (KimiError, ValueError):
            sent = False
        else:
            sent = url in str(server.requests[-1])
        llm.close()

    assert not was_reached(inside)
    assert sent or kind == "video" or dialect == "moonshot"


def test_a_block_of_an_address_is_made_without_reading_it(inside: socket.socket) -> None:
    url = f"http://127.0.0.1:{inside.getsockname()[1]}/x.png"
    assert url in str(image(url=url))
    with pytest.raises(KimiInvalidInputError, match="reads local files only"):
        image(url)
    assert not was_reached(inside)
