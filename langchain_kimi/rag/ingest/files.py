"""Files of a folder: their types, hashes and ids."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MEDIA_TYPES = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".txt": "text/plain",
    ".rst": "text/plain",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file as it stands on the disk."""

    root: Path
    path: str
    """Relative to the root, with forward slashes."""
    size: int
    modified_ns: int

    @property
    def absolute(self) -> Path:
        """Return where the file is."""
        return self.root / self.path

    @property
    def media_type(self) -> str:
        """Return the media type by the name."""
        return MEDIA_TYPES[Path(self.path).suffix.lower()]


def document_id(path: str) -> str:
    """Return the id of a document: it stays the same when its file changes."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def find_files(root: Path, skip: Sequence[Path] = ()) -> Iterator[SourceFile]:
    """Yield the files of known types below a folder, or the file itself, by path.

    Hidden files and folders, links that lead out of the folder and `skip` are left out.
    """
    root = root.resolve()
    if root.is_file():
        if root.suffix.lower() in MEDIA_TYPES:
            yield _source(root.parent, root)
        return
    skipped = {path.resolve() for path in skip}
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(
            name for name in names if not name.startswith(".") and here / name not in skipped
        )
        for name in sorted(files):
            path = here / name
            if name.startswith(".") or path.suffix.lower() not in MEDIA_TYPES:
                continue
            if path.is_file() and path.resolve().is_relative_to(root):
                yield _source(root, path)


def _source(root: Path, path: Path) -> SourceFile:
    status = path.stat()
    return SourceFile(
        root=root,
        path=path.relative_to(root).as_posix(),
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
    )
