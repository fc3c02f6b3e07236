"""A chat model for short answers."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.errors import KimiEmptyReplyError

ChatRunnable = Runnable[LanguageModelInput, AIMessage]


def instant(model: BaseChatModel) -> ChatRunnable:
    """Turn thinking off, where the model is Kimi.

    A thinking model may spend its whole budget on thoughts about a picture and say nothing.
    """
    return model.bind(thinking=False) if isinstance(model, ChatKimi) else model


def answer(model: ChatRunnable, messages: LanguageModelInput) -> str:
    """Return what the model says; nothing when its reply is empty."""
    try:
        return model.invoke(messages).text.strip()
    except KimiEmptyReplyError:
        return ""
