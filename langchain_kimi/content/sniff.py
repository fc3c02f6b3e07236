"""What bytes are, by their first bytes: a name or a declared type may lie.

Kimi takes PNG, JPEG, GIF and WebP pictures, and MP4, MPEG, MOV, AVI, FLV, WebM, WMV and 3GPP
films (Moonshot's vision guide). The other types are known so that an error can name them.
"""

from __future__ import annotations

__all__ = ["HEAD", "sniff"]

HEAD = 64
"""How many bytes `sniff` looks at."""

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x00\x00\x00\x0cjP  ", "image/jp2"),
    (b"%PDF-", "application/pdf"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"FLV\x01", "video/x-flv"),
    (b"0&\xb2u\x8ef\xcf\x11", "video/x-ms-wmv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"PK\x03\x04", "application/zip"),
)
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_BRANDS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    ((b"avif", b"avis"), "image/avif"),
    ((b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc"), "image/heic"),
    ((b"qt  ",), "video/quicktime"),
    ((b"3gp", b"3g2"), "video/3gpp"),
    ((b"M4A ", b"M4B "), "audio/mp4"),
)


def sniff(head: bytes) -> str | None:
    """Return the media type that the first bytes show, or None.

    Args:
        head: The first `HEAD` bytes or more.
    """
    for prefix, mime_type in _PREFIXES:
        if head.startswith(prefix):
            if mime_type == "video/webm" and b"matroska" in head[:HEAD]:
                return "video/x-matroska"
            return mime_type
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return next(
            (mime_type for brands, mime_type in _BRANDS if brand.startswith(brands)), "video/mp4"
        )
    if b"<svg" in head[:HEAD].lower():
        return "image/svg+xml"
    return None
