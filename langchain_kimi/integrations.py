"""Kimi by name: in `init_chat_model("kimi:…")` and in deepagents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_kimi.wire.reply import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.language_models import BaseChatModel

__all__ = ["register", "register_deepagents_harness", "register_deepagents_provider"]


def register() -> None:
    """Teach `langchain.chat_models.init_chat_model` the provider `kimi`.

    langchain has no public registry of providers, so this adds a row to its private table; a
    contract test watches the table. Nothing is registered on import.

    Example:
        ```python
        import langchain_kimi
        from langchain.chat_models import init_chat_model

        langchain_kimi.register()
        llm = init_chat_model("kimi:moonshotai/kimi-k2.6")
        ```
    """
    from langchain.chat_models import base  # noqa: PLC0415  langchain is slow to import

    base._BUILTIN_PROVIDERS[PROVIDER] = ("langchain_kimi", "ChatKimi", _create)  # noqa: SLF001


def _create(cls: type[BaseChatModel], **kwargs: Any) -> BaseChatModel:
    return cls(**kwargs)


def register_deepagents_provider() -> None:
    """Entry point `deepagents.provider_profiles`: `create_deep_agent("kimi:…")`."""
    from deepagents.profiles import ProviderProfile, register_provider_profile  # noqa: PLC0415

    register_provider_profile(PROVIDER, ProviderProfile(pre_init=lambda _spec: register()))


def register_deepagents_harness() -> None:
    """Entry point `deepagents.harness_profiles`: Kimi's middleware in every deep agent on it."""
    from deepagents.profiles import HarnessProfile, register_harness_profile  # noqa: PLC0415

    register_harness_profile(PROVIDER, HarnessProfile(extra_middleware=_middleware))


def _middleware() -> Sequence[Any]:
    from langchain_kimi.middleware import InvalidToolCallRepair, RepeatedCallGuard  # noqa: PLC0415

    return [InvalidToolCallRepair(), RepeatedCallGuard()]
