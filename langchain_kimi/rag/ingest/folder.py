"""Bring an index up to date with a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from langchain_core.embeddings import Embeddings

from langchain_kimi.rag.embeddings.units import embed_units
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Unit
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.index.units import build_units
from langchain_kimi.rag.ingest.files import SourceFile, document_id, find_files, sha256_of
from langchain_kimi.rag.ingest.parse import ParseSettings
from langchain_kimi.rag.ingest.parsed import Parsed
from langchain_kimi.rag.ingest.pool import TIMEOUT, parse_all
from langchain_kimi.rag.ingest.ray_pool import parse_on_ray
from langchain_kimi.rag.ingest.report import FileReport, IngestReport

Progress = Callable[[FileReport, int, int], None]
"""Called after each file with its report, the number of files done and of all files."""


@dataclass(frozen=True, kw_only=True)
class IngestOptions:
    """How a folder is ingested."""

    workers: int = 2
    """Processes; 0 parses in this process."""
    on: Literal["processes", "ray"] = "processes"
    """Where the workers are: on this machine, or on a Ray cluster whose machines all see the files
    at the same path. The index is written by this process alone."""
    timeout: float = TIMEOUT
    """Seconds a file may take."""
    tags: tuple[str, ...] = ()
    """Tags of every document of this run."""
    keep_missing: bool = False
    """Keep documents whose files are gone."""


@dataclass(frozen=True)
class _Stale:
    file: SourceFile
    sha256: str
    known: bool


class FolderIngest:
    """One run over one folder."""

    def __init__(
        self,
        store: Store,
        namespace: str,
        settings: ParseSettings,
        options: IngestOptions,
        embeddings: Embeddings | None = None,
        skip: Sequence[Path] = (),
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._settings = settings
        self._options = options
        self._embeddings = embeddings
        self._skip = skip

    def run(self, folder: Path, progress: Progress | None = None) -> IngestReport:
        """Ingest what is new or changed, remove what is gone."""
        if not folder.exists():
            msg = f"{folder} does not exist: pass a folder or a file"
            raise FileNotFoundError(msg)
        begun = time.perf_counter()
        report = IngestReport()
        files = list(find_files(folder, self._skip))
        known = {record.id: record for record in self._store.documents(self._namespace)}
        total = len(files)
        for entry in self._steps(folder, files, known):
            report.files.append(entry)
            if progress is not None:
                progress(entry, len(report.files), max(total, len(report.files)))
        report.seconds = time.perf_counter() - begun
        return report

    def _steps(
        self, folder: Path, files: Sequence[SourceFile], known: dict[str, DocumentRecord]
    ) -> Iterator[FileReport]:
        if folder.is_dir() and not self._options.keep_missing:
            yield from self._remove_missing(files, known)
        stale: list[_Stale] = []
        for file in files:
            entry = self._compare(file, known)
            if isinstance(entry, FileReport):
                yield entry
            else:
                stale.append(entry)
        by_path = {entry.file.path: entry for entry in stale}
        parse = parse_on_ray if self._options.on == "ray" else parse_all
        outcomes = parse(
            [entry.file for entry in stale],
            self._settings,
            workers=self._options.workers,
            timeout=self._options.timeout,
        )
        for file, outcome in outcomes:
            yield self._keep(by_path[file.path], outcome)

    def _remove_missing(
        self, files: Sequence[SourceFile], known: dict[str, DocumentRecord]
    ) -> Iterator[FileReport]:
        present = {document_id(file.path) for file in files}
        for gone in [record for name, record in known.items() if name not in present]:
            self._store.delete(self._namespace, [gone.id])
            yield FileReport(path=gone.path, state="removed")

    def _compare(self, file: SourceFile, known: dict[str, DocumentRecord]) -> FileReport | _Stale:
        """Hold a file against the index: its hash, and how it was parsed."""
        record = known.get(document_id(file.path))
        try:
            digest = sha256_of(file.absolute)
        except OSError as error:
            return FileReport(path=file.path, state="failed", reason=str(error))
        same = record is not None and record.sha256 == digest
        if record is not None and same and record.settings == self._fingerprint():
            return FileReport(path=file.path, state="unchanged", pages=record.counts["parts"])
        return _Stale(file, digest, known=record is not None)

    def _fingerprint(self) -> str:
        tags = ",".join(self._options.tags)
        dense = "" if self._embeddings is None else " dense"
        return f"{self._settings.fingerprint()} tags={tags}{dense}"

    def _keep(self, stale: _Stale, outcome: Parsed | str) -> FileReport:
        """Put a parsed file into the index; a failed one leaves its old entries nowhere."""
        name = document_id(stale.file.path)
        if isinstance(outcome, str):
            return self._failed(stale, outcome)
        units = build_units(name, stale.file.path, outcome)
        record = self._record(name, stale, outcome, units)
        try:
            vectors = embed_units(self._embeddings, units, record)
        except Exception as error:  # noqa: BLE001 whatever a model raises concerns this file
            reason = f"{stale.file.path} was not embedded: {type(error).__name__}: {error}"
            return self._failed(stale, reason[:500])
        self._store.upsert(self._namespace, record, units, vectors)
        return self._checked(stale, record, outcome)

    def _failed(self, stale: _Stale, reason: str) -> FileReport:
        self._store.delete(self._namespace, [document_id(stale.file.path)])
        return FileReport(path=stale.file.path, state="failed", reason=reason)

    def _record(
        self, name: str, stale: _Stale, parsed: Parsed, units: Sequence[Unit]
    ) -> DocumentRecord:
        file = stale.file
        return DocumentRecord(
            id=name,
            path=file.path,
            source=str(file.absolute),
            sha256=stale.sha256,
            media_type=file.media_type,
            size=file.size,
            modified_ns=file.modified_ns,
            title=parsed.title,
            date=parsed.date,
            tags=self._options.tags,
            counts={**parsed.counts(), "units": len(units)},
            notes=parsed.notes,
            settings=self._fingerprint(),
        )

    def _checked(self, stale: _Stale, record: DocumentRecord, parsed: Parsed) -> FileReport:
        """Compare what was parsed with what the index holds now."""
        path, parts = stale.file.path, len(parsed.parts)
        held = len(
            self._store.units(self._namespace, level="page", where=Filter(documents=(record.id,)))
        )
        if held != parts:
            reason = f"{parts} pages were parsed, the index holds {held}"
            return FileReport(path=path, state="failed", reason=reason, notes=parsed.notes)
        if not any(part.text.strip() for part in parsed.parts):
            reason = f"no text was found on {parts} pages"
            return FileReport(
                path=path, state="empty", reason=reason, pages=parts, notes=parsed.notes
            )
        state = "changed" if stale.known else "added"
        return FileReport(path=path, state=state, pages=parts, notes=parsed.notes)  # type: ignore[arg-type]
