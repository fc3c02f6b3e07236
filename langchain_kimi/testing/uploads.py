"""Files that clients have uploaded, to be named in requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Upload:
    """One file; data is None while its bytes are still to come."""

    id: str
    name: str
    purpose: str
    created: int
    data: bytes | None
    signed: dict[str, str] = field(default_factory=dict)
    """The headers with which its bytes have to come."""


class Uploads:
    """All files, by id; used from the server's loop only."""

    def __init__(self) -> None:
        self._files: dict[str, Upload] = {}

    def __contains__(self, id_: object) -> bool:
        """Tell whether a file is there with its bytes."""
        found = self._files.get(id_) if isinstance(id_, str) else None
        return found is not None and found.data is not None

    def __iter__(self) -> Iterator[Upload]:
        return iter(self._files.values())

    def get(self, id_: str) -> Upload | None:
        """Return a file, None when there is none."""
        return self._files.get(id_)

    def put(self, upload: Upload) -> None:
        """Keep a file."""
        self._files[upload.id] = upload

    def remove(self, id_: str) -> None:
        """Forget a file."""
        self._files.pop(id_, None)
