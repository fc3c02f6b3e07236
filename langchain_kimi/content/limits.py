"""What a picture may be when it is sent, and what is read at all."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MediaLimits"]


@dataclass(frozen=True, kw_only=True)
class MediaLimits:
    """Bounds of media. The defaults are those of Kimi's endpoints.

    Attributes:
        longest_edge: Pixels of a picture's longer side; 4,096 is the largest that Moonshot's
            verifier sends. MoonViT's own limits hold besides.
        max_bytes: Bytes of a picture as it is sent, before base64 (kimi-code: 3.75 MB).
        formats: Media types that are sent; others become PNG or JPEG.
        max_pixels: A picture or frame with more is refused before it is decoded.
        max_source_bytes: A file with more is refused before it is read; a film on disk is
            streamed and may be larger.
    """

    longest_edge: int = 4_096
    max_bytes: int = 3_750_000
    formats: tuple[str, ...] = ("image/png", "image/jpeg", "image/webp", "image/gif")
    max_pixels: int = 64_000_000
    max_source_bytes: int = 100_000_000
