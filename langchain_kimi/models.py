"""Facts of models: one row a model. What differs by server stands in `endpoints.py`.

Sources: the vLLM recipes of each model (context windows, parsers), Moonshot's model cards and
help centre (thinking, sampling, limits). An unknown id gets `UNKNOWN`, the newest common ground,
so that a served name such as `my-kimi` works.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from langchain_core.language_models.model_profile import ModelProfile

__all__ = ["MODELS", "UNKNOWN", "ModelFacts", "facts_of"]


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is true of a model wherever it is served."""

    name: str
    """Display name."""
    context_window: int
    """Tokens of prompt and reply together."""
    thinking: Literal["optional", "always"] = "optional"
    """Whether thinking can be switched off."""
    preserve_thinking: Literal["optional", "always", "never"] = "never"
    """Whether the chat template can keep the reasoning of turns before the last answer."""
    forced_tool_choice: bool = False
    """Whether a tool can be forced while the model thinks (K3: `required` only)."""
    image_inputs: bool = True
    video_inputs: bool = True

    @property
    def can_be_instant(self) -> bool:
        """Whether the model can answer without thinking."""
        return self.thinking == "optional"

    def profile(self) -> ModelProfile:
        """Describe the model in langchain-core's terms, for middleware that reads profiles."""
        return {
            "name": self.name,
            "open_weights": True,
            "max_input_tokens": self.context_window,
            "max_output_tokens": self.context_window,
            "text_inputs": True,
            "text_outputs": True,
            "image_inputs": self.image_inputs,
            "image_url_inputs": self.image_inputs,
            "image_tool_message": self.image_inputs,
            "video_inputs": self.video_inputs,
            "audio_inputs": False,
            "image_outputs": False,
            "audio_outputs": False,
            "video_outputs": False,
            "reasoning_output": True,
            "tool_calling": True,
            "tool_choice": True,
            "tool_call_streaming": True,
            "structured_output": True,
            "temperature": True,
            "attachment": self.image_inputs,
        }


_K = 1024

MODELS: dict[str, ModelFacts] = {
    "kimi-k2-thinking": ModelFacts(
        name="Kimi K2 Thinking",
        context_window=256 * _K,
        thinking="always",
        image_inputs=False,
        video_inputs=False,
    ),
    "kimi-k2.5": ModelFacts(name="Kimi K2.5", context_window=256 * _K),
    "kimi-k2.6": ModelFacts(
        name="Kimi K2.6", context_window=256 * _K, preserve_thinking="optional"
    ),
    "kimi-k2.7-code": ModelFacts(
        name="Kimi K2.7 Code",
        context_window=256 * _K,
        thinking="always",
        preserve_thinking="always",
    ),
    "kimi-k3": ModelFacts(
        name="Kimi K3",
        context_window=1024 * _K,
        thinking="always",
        preserve_thinking="always",
        forced_tool_choice=True,
    ),
}
"""Model id without vendor prefix, in lower case, to its facts."""

UNKNOWN = ModelFacts(name="Kimi", context_window=256 * _K, preserve_thinking="optional")
"""What is assumed of an id that is in no row."""

_ALIASES = {
    "kimi-k2-thinking-turbo": "kimi-k2-thinking",
    "kimi-k2.7-code-highspeed": "kimi-k2.7-code",
}


@functools.lru_cache(maxsize=256)
def facts_of(model: str) -> ModelFacts:
    """Look up a model by id, with or without vendor prefix, in any case."""
    key = model.rsplit("/", maxsplit=1)[-1].lower()
    return MODELS.get(_ALIASES.get(key, key), UNKNOWN)
