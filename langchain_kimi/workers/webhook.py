"""Telling the end of a run to a URL that whoever submitted it named."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from langchain_core.tools import ToolException

from langchain_kimi._version import __version__
from langchain_kimi.tools.connection import Deadline, send
from langchain_kimi.tools.hosts import AllowedHosts, UnresolvedHostError

_SECONDS = 20.0


class WebhookRefusedError(ValueError):
    """The URL is none that may be told; trying again does not help."""


def check_form(url: str) -> None:
    """Refuse what no worker could tell, before its host is looked up.

    Raises:
        WebhookRefusedError: It is no http URL with a host, or has a user name in it.
    """
    try:
        parts = urlsplit(url)
        is_well_formed = parts.scheme in ("http", "https") and bool(parts.hostname)
        has_user = parts.username is not None or parts.password is not None
        _ = parts.port
    except ValueError:
        is_well_formed = has_user = False
    if not is_well_formed or has_user:
        msg = "the webhook is refused: give an https URL with a host, and no user name"
        raise WebhookRefusedError(msg)


def tell(url: str, report: Mapping[str, Any], *, private_hosts: Sequence[str] = ()) -> int:
    """Post a report as JSON; redirects are not followed.

    Args:
        url: An https URL of a host with a public address.
        report: What is told.
        private_hosts: Hosts that may have a private or loopback address, and be told by http.

    Returns:
        The status, 200 to 299.

    Raises:
        WebhookRefusedError: The URL may not be told, for its scheme or its address.
        OSError: The server cannot be reached, or answered otherwise.
    """
    check_form(url)
    deadline = Deadline(_SECONDS)
    netloc = urlsplit(url).netloc.rpartition("@")[2]
    is_private = netloc in private_hosts
    try:
        hosts = {"private_hosts": [netloc]} if is_private else {"hosts": [netloc]}
        allowed = AllowedHosts(**{"hosts": (), **hosts}, allow_http=is_private)
        target = allowed.check(url, seconds=deadline.left())
    except UnresolvedHostError as error:
        msg = "the webhook's host could not be resolved"
        raise OSError(msg) from error
    except (ToolException, ValueError) as error:
        msg = f"the webhook is refused: {str(error).replace(repr(url), 'its URL')}"
        raise WebhookRefusedError(msg) from None
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": f"langchain-kimi/{__version__}",
    }
    try:
        reply = send("POST", target, headers, deadline, json.dumps(report).encode())
    except http.client.HTTPException as error:
        msg = f"{target.netloc} broke off: {type(error).__name__}"
        raise OSError(msg) from None
    if not 200 <= reply.status < 300:
        msg = f"{target.netloc} answered {reply.status}"
        raise OSError(msg)
    return reply.status
