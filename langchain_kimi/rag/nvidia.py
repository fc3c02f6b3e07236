"""How NVIDIA's retrieval models are reached."""

from __future__ import annotations

import os

from pydantic import SecretStr

from langchain_kimi.errors import KimiAuthenticationError
from langchain_kimi.transport import Timeout, Transport

CATALOG = "https://integrate.api.nvidia.com/v1"
RERANKING = "https://ai.api.nvidia.com/v1/retrieval"
_TIMEOUT = Timeout(response=300.0)


def connect(base_url: str, api_key: SecretStr | str | None, max_retries: int) -> Transport:
    """Open a transport; the key is `api_key`, or `NVIDIA_API_KEY`.

    Raises:
        KimiAuthenticationError: If NVIDIA's own host is asked without a key.
    """
    given = api_key if api_key is not None else os.environ.get("NVIDIA_API_KEY", "")
    key = given if isinstance(given, SecretStr) else SecretStr(given)
    if not key.get_secret_value() and base_url.startswith((CATALOG, RERANKING)):
        msg = f"there is no API key for {base_url}: set NVIDIA_API_KEY, pass api_key=, or give"
        msg += " the base_url= of a NIM of your own"
        raise KimiAuthenticationError(msg, endpoint="nvidia")
    return Transport(
        base_url=base_url,
        api_key=key if key.get_secret_value() else None,
        endpoint="nvidia",
        headers={},
        timeout=_TIMEOUT,
        max_retries=max_retries,
        verify_ssl=True,
        polls_202=True,
    )
