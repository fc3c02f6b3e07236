"""Pictures, films and documents: from files to message blocks, and what they cost.

The helpers read local files; a message that carries a path or a `file:` URL is refused. Pillow,
PyAV and pypdfium2 (`pip install "langchain-kimi-nvidia[media]"`) are imported when they are needed,
and so are the helpers: the request conversion needs only `content.blocks`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_kimi.content.films import Frame, video, video_frames
    from langchain_kimi.content.limits import MediaLimits
    from langchain_kimi.content.pages import document
    from langchain_kimi.content.pictures import image
    from langchain_kimi.content.visual import visual_tokens

__all__ = [
    "Frame",
    "MediaLimits",
    "document",
    "image",
    "video",
    "video_frames",
    "visual_tokens",
]

_HOMES = {
    "Frame": "films",
    "MediaLimits": "limits",
    "document": "pages",
    "image": "pictures",
    "video": "films",
    "video_frames": "films",
    "visual_tokens": "visual",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
