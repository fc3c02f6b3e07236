"""What pictures and films cost in tokens: MoonViT's arithmetic.

The preprocessor cuts a picture into patches of 14 pixels and merges 2x2 of them into a token. It
scales down, never up, to at most 16,384 patches a picture, 4,096 a frame of a film and 512 a side,
and pads to whole tokens. (Kimi K2.5 and K2.6, byte-identical: vLLM's kimi_k25 configuration.) A
640x480 picture costs 414, which is what vLLM counts.
"""

from __future__ import annotations

import math

from langchain_kimi.errors import KimiInvalidInputError

__all__ = ["PICTURE_OVERHEAD", "fitted_size", "picture_tokens", "video_tokens"]

PATCH = 14
TOKEN = 28
"""Pixels along a side of a token: 2x2 patches."""
PICTURE_PATCHES = 16_384
FRAME_PATCHES = 4_096
SIDE_PATCHES = 512
FRAMES_PER_SECOND = 2.0
"""The rate at which the preprocessor samples a film."""
FRAMES_PER_CHUNK = 4
"""Frames that are pooled into the tokens of one."""
TIMESTAMP_TOKENS = 10
"""The time that stands before each chunk."""
PICTURE_OVERHEAD = 6
"""`<|media_begin|>image<|media_content|>` … `<|media_end|>` and a line break."""


def fitted_size(width: int, height: int, *, patches: int = PICTURE_PATCHES) -> tuple[int, int]:
    """Return the size to which MoonViT scales a picture; more pixels than these are not seen.

    Args:
        width: Pixels.
        height: Pixels.
        patches: The most patches.

    Raises:
        KimiInvalidInputError: A side is not positive.
    """
    if width < 1 or height < 1:
        msg = f"a picture of {width}x{height} pixels has nothing to see; sides are at least 1"
        raise KimiInvalidInputError(msg)
    grid = max(1, (width // PATCH) * (height // PATCH))
    side = SIDE_PATCHES * PATCH
    scale = min(1.0, math.sqrt(patches / grid), side / width, side / height)
    if scale == 1.0:
        return width, height
    return max(1, int(width * scale)), max(1, int(height * scale))


def picture_tokens(width: int, height: int) -> int:
    """Return what a picture costs, the marks around it not counted.

    Args:
        width: Pixels.
        height: Pixels.
    """
    return _grid(*fitted_size(width, height))


def video_tokens(
    width: int, height: int, seconds: float, *, frames_per_second: float = FRAMES_PER_SECOND
) -> int:
    """Return what a film costs where the endpoint takes films.

    Args:
        width: Pixels.
        height: Pixels.
        seconds: Length.
        frames_per_second: The server's sampling rate.
    """
    frames = max(1, math.ceil(seconds * frames_per_second))
    chunks = math.ceil(frames / FRAMES_PER_CHUNK)
    return chunks * (_grid(*fitted_size(width, height, patches=FRAME_PATCHES)) + TIMESTAMP_TOKENS)


def _grid(width: int, height: int) -> int:
    return math.ceil(width / TOKEN) * math.ceil(height / TOKEN)
