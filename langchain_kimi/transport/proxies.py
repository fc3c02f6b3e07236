"""Which proxy a request takes, from the environment; `~/.netrc` is never read."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from langchain_kimi.errors import KimiInvalidInputError


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy for a URL, or None for a direct connection.

    Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (and the system's settings on macOS and
    Windows) as the standard library does.

    Raises:
        KimiInvalidInputError: If the proxy is of a kind that cannot be used, such as SOCKS, or no
            address.
    """
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    scheme = _scheme_of(proxy)
    if scheme is None:
        msg = (
            f"The environment's proxy for {parts.scheme}:// addresses is no URL with a host and a"
            f" port. Set {parts.scheme.upper()}_PROXY to one such as http://proxy.example:3128."
        )
        raise KimiInvalidInputError(msg)
    if scheme not in {"http", "https"}:
        msg = (
            f"The environment names a {scheme} proxy for {parts.scheme}:// addresses; only http"
            f" and https proxies are supported. Set {parts.scheme.upper()}_PROXY to one of these,"
            f" or put {parts.hostname} into NO_PROXY."
        )
        raise KimiInvalidInputError(msg)
    return proxy


def _scheme_of(proxy: str) -> str | None:
    """Return the scheme of a proxy's address; None where it is none, whose text holds secrets."""
    try:
        parts = urlsplit(proxy)
        _ = parts.port  # out of range, or no number
    except ValueError:
        return None
    return parts.scheme if parts.hostname else None
