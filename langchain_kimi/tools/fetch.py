"""HTTP GET limited to a list of hosts. Proxies are not used; see `connection` for why."""

import codecs
import http
import http.client
import re
from collections.abc import Sequence
from urllib.parse import urljoin

from langchain_core.tools import BaseTool, ToolException, tool

from langchain_kimi._version import __version__
from langchain_kimi.tools.connection import MAX_BYTES, Deadline, Reply, get
from langchain_kimi.tools.hosts import AllowedHosts
from langchain_kimi.tools.page_text import page_text

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
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_WEB_CHARSETS = re.compile(
    r"utf-?8|utf-?16([bl]e)?|(us-)?ascii|iso-?8859-\d{1,2}|latin-?\d{1,2}|windows-\d{3,4}"
    r"|cp\d{3,4}|koi8-[ru]|shift[_-]jis|euc-(jp|kr|cn)|iso-2022-jp|gb(k|2312|18030)|big5(-hkscs)?"
)
"""Python knows further codecs, which fail in their own ways or take quadratic time."""


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


def _get(url: str, allowed: AllowedHosts) -> str:
    deadline = Deadline(TIMEOUT_SECONDS)
    for _ in range(MAX_REDIRECTS + 1):
        reply = _request(url, allowed, deadline)
        location = reply.headers.get("Location")
        if reply.status in _REDIRECTS and location:
            url = _joined(url, location)
        elif reply.status != http.HTTPStatus.OK:
            msg = f"{url} answered {reply.status} {reply.reason[:200]}."
            raise ToolException(msg)
        else:
            return _text(url, reply)
    msg = f"More than {MAX_REDIRECTS} redirects; the last led to {url}."
    raise ToolException(msg)


def _request(url: str, allowed: AllowedHosts, deadline: Deadline) -> Reply:
    try:
        reply = get(allowed.check(url, seconds=deadline.left()), _HEADERS, deadline)
    except (OSError, http.client.HTTPException) as error:
        msg = f"{url} could not be fetched: {type(error).__name__}: {str(error)[:500]}"
        raise ToolException(msg) from None
    if reply.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        msg = f"{url} was sent compressed, which was not asked for."
        raise ToolException(msg)
    return reply


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        msg = f"{url} leads to {location[:200]!r}, which is not a URL."
        raise ToolException(msg) from None


def _text(url: str, reply: Reply) -> str:
    header = reply.headers.get("Content-Type") or "text/plain"
    media_type = header.partition(";")[0].strip().lower()
    if not (media_type.startswith("text/") or media_type.endswith(_TEXT_TYPES)):
        msg = f"{url} is {media_type[:100]}, not text, and is not shown."
        raise ToolException(msg)
    text = reply.body[:MAX_BYTES].decode(_charset(header), "replace")
    if media_type in {"text/html", "application/xhtml+xml"}:
        text = page_text(text)
    if len(reply.body) > MAX_BYTES:
        text += f"\n[cut: the page is longer than {MAX_BYTES:,} bytes]"
    return text


def _charset(content_type: str) -> str:
    """Return the charset that a page names, if it is one of the web's, or else UTF-8."""
    found = _CHARSET.search(content_type)
    name = found[1].lower() if found else "utf-8"
    if not _WEB_CHARSETS.fullmatch(name):
        return "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def _part(text: str, start: int) -> str:
    start = max(start, 0)
    shown = text[start : start + MAX_CHARACTERS]
    if not shown:
        return "[empty page]" if not text else f"[the text ends before character {start:,}]"
    rest = len(text) - start - len(shown)
    if rest > 0:
        shown += f"\n[{rest:,} more characters; go on with start={start + len(shown)}]"
    return shown
