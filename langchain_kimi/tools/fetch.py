"""HTTP GET limited to a list of hosts.

The standard library's HTTP client is used, because the connection must go to the address that
was checked: a client that resolves the name again could be led elsewhere. Proxies are not used.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

from langchain_core.tools import BaseTool, ToolException, tool

from langchain_kimi._version import __version__
from langchain_kimi.tools.hosts import AllowedHosts, Target
from langchain_kimi.tools.page_text import page_text

MAX_BYTES = 2_000_000
MAX_CHARACTERS = 20_000
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 30.0

_HEADERS = {
    "User-Agent": f"langchain-kimi/{__version__}",
    "Accept": "text/html, text/*, application/json;q=0.9, */*;q=0.1",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_TEXT_TYPES = ("json", "xml", "javascript", "yaml", "toml", "csv", "x-sh")
_REDIRECTS = {301, 302, 303, 307, 308}


def fetch_tool(
    hosts: Sequence[str] = (), *, private_hosts: Sequence[str] = (), allow_http: bool = False
) -> BaseTool:
    """Make the tool `fetch_url`: GET a page of an allowed host and return its text.

    Each redirect is checked against the list as well. A host must have public addresses unless
    it is named in `private_hosts`; the name is resolved once and the connection goes to the
    address that was checked. No cookies, no credentials, at most 2 MB and 30 seconds a page.

    Args:
        hosts: `docs.python.org`, `*.python.org` for subdomains, `example.org:8443`.
        private_hosts: Hosts of your own network, such as `localhost:8000`.
        allow_http: Whether plain `http` is allowed too.

    Returns:
        The tool.

    Raises:
        ValueError: When no host is allowed, or an entry is not a host.
    """
    allowed = AllowedHosts(hosts, private_hosts=private_hosts, allow_http=allow_http)

    @tool(parse_docstring=True)
    def fetch_url(url: str, start: int = 0) -> str:
        """Fetch a web page or text file with HTTP GET and return its text.

        Args:
            url: The full URL.
            start: Where to go on reading in a long text, in characters.
        """
        return _part(_get(url, allowed), start)

    fetch_url.description += f" Allowed hosts: {', '.join(allowed.names)}."
    fetch_url.handle_tool_error = True
    return fetch_url


@dataclass(frozen=True, kw_only=True)
class _Reply:
    status: int
    reason: str
    location: str | None
    media_type: str
    charset: str
    body: bytes


def _get(url: str, allowed: AllowedHosts) -> str:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for _ in range(MAX_REDIRECTS + 1):
        target = allowed.check(url)
        reply = _request(target, deadline)
        if reply.status in _REDIRECTS and reply.location:
            url = urljoin(url, reply.location)
        elif reply.status != http.HTTPStatus.OK:
            msg = f"{url} answered {reply.status} {reply.reason}."
            raise ToolException(msg)
        else:
            return _text(url, reply)
    msg = f"More than {MAX_REDIRECTS} redirects; the last led to {url}."
    raise ToolException(msg)


def _request(target: Target, deadline: float) -> _Reply:
    try:
        with _connection(target) as connection:
            connection.request("GET", target.path, headers={**_HEADERS, "Host": target.netloc})
            response = connection.getresponse()
            if response.headers.get("Content-Encoding", "identity") != "identity":
                msg = f"{target.url} was sent compressed, which was not asked for."
                raise ToolException(msg)
            return _Reply(
                status=response.status,
                reason=response.reason,
                location=response.headers.get("Location"),
                media_type=response.headers.get_content_type(),
                charset=response.headers.get_content_charset() or "utf-8",
                body=_body(response, deadline),
            )
    except (OSError, http.client.HTTPException) as error:
        msg = f"{target.url} could not be fetched: {type(error).__name__}: {error}"
        raise ToolException(msg) from None


@contextmanager
def _connection(target: Target) -> Iterator[http.client.HTTPConnection]:
    """Connect to a checked address, under the name of the host."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=TIMEOUT_SECONDS)
    stream = _open(target)
    try:
        if target.scheme == "https":
            context = ssl.create_default_context()
            stream = context.wrap_socket(stream, server_hostname=target.host)
        connection.sock = stream
        yield connection
    finally:
        connection.close()
        stream.close()


def _open(target: Target) -> socket.socket:
    """Connect to the first address that answers."""
    failure = OSError("the host has no address")
    for address in target.addresses:
        try:
            return socket.create_connection((address, target.port), timeout=TIMEOUT_SECONDS)
        except OSError as error:
            failure = error
    raise failure


def _body(response: http.client.HTTPResponse, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= MAX_BYTES and (piece := response.read1(65_536)):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > deadline:
            msg = f"no end within {TIMEOUT_SECONDS:.0f} seconds"
            raise TimeoutError(msg)
    return b"".join(pieces)


def _text(url: str, reply: _Reply) -> str:
    if not (reply.media_type.startswith("text/") or reply.media_type.endswith(_TEXT_TYPES)):
        msg = f"{url} is {reply.media_type}, not text, and is not shown."
        raise ToolException(msg)
    try:
        text = reply.body[:MAX_BYTES].decode(reply.charset, "replace")
    except LookupError:
        text = reply.body[:MAX_BYTES].decode("utf-8", "replace")
    if reply.media_type in {"text/html", "application/xhtml+xml"}:
        text = page_text(text)
    if len(reply.body) > MAX_BYTES:
        text += f"\n[cut: the page is longer than {MAX_BYTES:,} bytes]"
    return text


def _part(text: str, start: int) -> str:
    start = max(start, 0)
    shown = text[start : start + MAX_CHARACTERS]
    if not shown:
        return "[empty page]" if not text else f"[the text ends before character {start:,}]"
    rest = len(text) - start - len(shown)
    if rest > 0:
        shown += f"\n[{rest:,} more characters; go on with start={start + len(shown)}]"
    return shown
