"""Writing files of a working copy: within it, through no link, and all at once."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from langchain_kimi.coding.errors import CodingError
from langchain_kimi.tools.secrets import Secrets

_MOST_BYTES = 5_000_000


class Edits:
    """Writes and changes files below a folder.

    Args:
        root: The folder.
        own: Told each file and folder that was made.
    """

    def __init__(self, root: Path, own: Callable[[Path], None]) -> None:
        self._root = root
        self._own = own
        self._secrets = Secrets()

    def write(self, path: str, content: str) -> str:
        """Write a file, with the folders above it.

        Raises:
            CodingError: The path is refused.
        """
        place = self._place(path)
        data = content.encode(errors="replace")
        if len(data) > _MOST_BYTES:
            msg = f"{len(data):,} bytes are too much for one file; at most {_MOST_BYTES:,}."
            raise CodingError(msg)
        self._replace(place, data)
        return f"Wrote {len(data):,} bytes to {path}."

    def edit(self, path: str, old: str, new: str, *, everywhere: bool) -> str:
        """Replace a text in a file.

        Raises:
            CodingError: The path is refused, or the text is not there, or more than once.
        """
        place = self._place(path)
        try:
            if place.stat().st_size > _MOST_BYTES:
                msg = f"{path!r} is too large to edit: at most {_MOST_BYTES:,} bytes."
                raise CodingError(msg)
            text = place.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            msg = f"{path!r} is no text file that can be read. List it with list_files."
            raise CodingError(msg) from None
        count = text.count(old) if old else 0
        if count == 0 or (count > 1 and not everywhere):
            msg = (
                f"old_text occurs {count} times in {path!r}. Copy it exactly, without line "
                "numbers, and with enough around it to occur once; or set replace_all."
            )
            raise CodingError(msg)
        self._replace(place, text.replace(old, new).encode(errors="replace"))
        return f"Replaced {count} place{'s' if count > 1 else ''} in {path}."

    def _place(self, path: str) -> Path:
        """Return where a path is.

        Raises:
            CodingError: It leads out, into git's own files, to a secret, or over a link.
        """
        normal = PurePosixPath(os.path.normpath(path)) if "\0" not in path else PurePosixPath("/")
        if normal.is_absolute() or normal.parts[:1] in ((), ("..",)):
            msg = f"{path[:200]!r} lies outside the repository. Give a path relative to its root."
            raise CodingError(msg)
        if any(part.casefold() == ".git" for part in normal.parts) or self._secrets.cover(normal):
            msg = f"{path[:200]!r} belongs to git, or usually holds secrets, and is not written."
            raise CodingError(msg)
        place = self._root
        for part in normal.parts:
            place /= part
            if place.is_symlink():
                msg = f"{path[:200]!r} leads over a link, and links are not followed."
                raise CodingError(msg)
        if place.exists() and not place.is_file():
            msg = f"{path[:200]!r} is no file."
            raise CodingError(msg)
        return place

    def _replace(self, place: Path, data: bytes) -> None:
        """Put a new file in the place of the old one: a hard link elsewhere stays as it is."""
        try:
            self._make_folders(place.parent)
            mode = stat.S_IMODE(place.stat().st_mode) & 0o777 if place.exists() else 0o644
            handle, name = tempfile.mkstemp(dir=place.parent)
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(name).chmod(mode)
            self._own(Path(name))
            Path(name).replace(place)
        except OSError as error:
            msg = f"{place.name!r} cannot be written: {error.strerror}."
            raise CodingError(msg) from None

    def _make_folders(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_folders(folder.parent)
            folder.mkdir()
            self._own(folder)
