"""Which hosts may be fetched from, and which addresses they may have."""

import queue
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from langchain_core.tools import ToolException

from langchain_kimi.tools.addresses import is_public

MAX_URL_CHARACTERS = 4_000

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE = "/%:@!$&'()*+,;=~?"


class UnresolvedHostError(ToolException):
    """A host's name has no address at the moment; it may have one later."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A host on a list; without a port it stands for the scheme's own."""

    name: str
    port: int | None

    def fits(self, host: str, port: int, scheme: str) -> bool:
        if port != (self.port or _DEFAULT_PORTS[scheme]):
            return False
        if self.name.startswith("*."):
            return host.endswith(self.name[1:])
        return host == self.name


@dataclass(frozen=True, kw_only=True)
class Target:
    """A checked URL and the addresses to connect to."""

    url: str
    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]
    path: str

    @property
    def netloc(self) -> str:
        """The host and, where it is not the scheme's own, the port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


class AllowedHosts:
    """The hosts that a tool may reach: public ones, and private ones only by name."""

    def __init__(
        self, hosts: Sequence[str], *, private_hosts: Sequence[str] = (), allow_http: bool = False
    ) -> None:
        """Set the lists.

        Args:
            hosts: `example.org`, `*.example.org` for its subdomains, `example.org:8443` for
                another port. They must have public addresses.
            private_hosts: Hosts that may have private or loopback addresses.
            allow_http: Whether plain `http` is taken too; `https` always is.

        Raises:
            ValueError: When an entry is not a host, or there is none.
        """
        if not (hosts or private_hosts):
            msg = "No hosts are allowed. Give at least one, such as 'docs.python.org'."
            raise ValueError(msg)
        self.names = (*hosts, *private_hosts)
        self._public = [_entry(text) for text in hosts]
        self._private = [_entry(text) for text in private_hosts]
        self.schemes = ("https", "http") if allow_http else ("https",)

    def check(self, url: str, *, seconds: float) -> Target:
        """Return where to connect for a URL, or refuse it with the reason.

        Args:
            url: The URL.
            seconds: How long its name may take to resolve.
        """
        parts = _split(url)
        if parts.scheme not in self.schemes:
            msg = f"{url!r} is refused: only {' and '.join(self.schemes)} URLs are fetched."
            raise ToolException(msg)
        if parts.username is not None or parts.password is not None:
            msg = "A URL with a user name or password is not fetched."
            raise ToolException(msg)
        host = _ascii(parts.hostname or "")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        is_private = any(entry.fits(host, port, parts.scheme) for entry in self._private)
        if not is_private and not any(e.fits(host, port, parts.scheme) for e in self._public):
            msg = f"{parts.netloc!r} is not on the list of allowed hosts: {', '.join(self.names)}."
            raise ToolException(msg)
        path = quote(parts.path or "/", safe=_SAFE)
        query = quote(parts.query, safe=_SAFE)
        return Target(
            url=url,
            scheme=parts.scheme,
            host=host,
            port=port,
            addresses=_addresses(host, port, seconds, allow_private=is_private),
            path=f"{path}?{query}" if query else path,
        )


def _entry(text: str) -> _Entry:
    """Read an entry of a list."""
    try:
        parts = urlsplit(f"//{text}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        name, port = "", None
    is_bare = text.lower().startswith((name, f"[{name}]")) and not text.endswith((":", "/"))
    if not name or not is_bare or "*" in name.removeprefix("*.") or set(text) & set("/?#@ "):
        msg = (
            f"{text!r} is not a host. Give names such as 'docs.python.org', '*.python.org' or "
            "'localhost:8000', without scheme and path."
        )
        raise ValueError(msg)
    return _Entry(name=name, port=port)


def _split(url: str) -> SplitResult:
    if len(url) > MAX_URL_CHARACTERS:
        msg = f"The URL is longer than {MAX_URL_CHARACTERS:,} characters and is not fetched."
        raise ToolException(msg)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        msg = f"{url!r} is not a URL: {error}."
        raise ToolException(msg) from None
    if any(character.isspace() or ord(character) < 32 for character in url):
        msg = f"{url!r} is not a URL: it has white space in it."
        raise ToolException(msg)
    return parts


def _ascii(host: str) -> str:
    host = host.rstrip(".").lower()
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        msg = f"{host!r} is not a host name."
        raise ToolException(msg) from None


def _addresses(host: str, port: int, seconds: float, *, allow_private: bool) -> tuple[str, ...]:
    """Resolve a host once; the connection goes to what was checked."""
    addresses = _resolved(host, port, seconds)
    if isinstance(addresses, Exception):
        msg = f"The host {host!r} could not be resolved: {addresses}."
        raise UnresolvedHostError(msg)
    if not allow_private and not all(is_public(address) for address in addresses):
        msg = f"The host {host!r} has a private address and is not fetched."
        raise ToolException(msg)
    return addresses


def _resolved(host: str, port: int, seconds: float) -> tuple[str, ...] | Exception:
    """Ask the resolver in a thread of its own, as its time cannot be bounded."""
    answer: queue.Queue[tuple[str, ...] | Exception] = queue.Queue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put(tuple(dict.fromkeys(str(info[4][0]) for info in found)))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.get(timeout=seconds)
    except queue.Empty:
        return TimeoutError(f"no answer within {seconds:.0f} seconds")
