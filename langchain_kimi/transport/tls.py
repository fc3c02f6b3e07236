"""The TLS settings that both paths share."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from langchain_kimi.errors import KimiInvalidInputError


def ssl_context(verify: bool | str) -> ssl.SSLContext:
    """Return the TLS context for a `verify_ssl` setting.

    True trusts the system's certificates (SSL_CERT_FILE and SSL_CERT_DIR move them) and those
    named by REQUESTS_CA_BUNDLE; where the system has none, certifi's. A string is the path of a
    CA file or directory. False checks nothing.
    """
    return _make_context(verify, os.environ.get("REQUESTS_CA_BUNDLE"))


@lru_cache(maxsize=8)
def _make_context(verify: bool | str, extra: str | None) -> ssl.SSLContext:
    if isinstance(verify, str):
        _check_exists(verify)
        directory = Path(verify).is_dir()
        context = ssl.create_default_context(
            cafile=None if directory else verify, capath=verify if directory else None
        )
    else:
        context = ssl.create_default_context()
        if verify and extra:
            _check_exists(extra)
            directory = Path(extra).is_dir()
            context.load_verify_locations(
                cafile=None if directory else extra, capath=extra if directory else None
            )
        if not context.get_ca_certs() and not ssl.get_default_verify_paths().capath:
            context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_exists(path: str) -> None:
    if not Path(path).exists():
        msg = (
            f"There is no CA file or directory at {path!r}; check verify_ssl= and"
            " REQUESTS_CA_BUNDLE."
        )
        raise KimiInvalidInputError(msg)
