"""Tables of the SQLite index."""

from __future__ import annotations

from langchain_kimi.rag.text import ANALYSER

VERSION = f"1.{ANALYSER}"
LEVELS = ("document", "page", "chunk")

TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  namespace TEXT NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, media_type TEXT NOT NULL,
  date TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (namespace, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
  namespace TEXT NOT NULL, document_id TEXT NOT NULL, tag TEXT NOT NULL,
  PRIMARY KEY (namespace, document_id, tag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS units (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, document_id TEXT NOT NULL,
  id TEXT NOT NULL, level TEXT NOT NULL, kind TEXT NOT NULL, page INTEGER NOT NULL,
  text TEXT NOT NULL, extra TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS units_by_document ON units (namespace, document_id, level, page);
CREATE INDEX IF NOT EXISTS units_by_id ON units (namespace, id);
CREATE TABLE IF NOT EXISTS vectors (
  number INTEGER PRIMARY KEY REFERENCES units (number), vector BLOB NOT NULL
);
"""

FULL_TEXT = """
CREATE VIRTUAL TABLE IF NOT EXISTS {level}_text USING fts5 (
  head, body, refs, tokenize = "unicode61 remove_diacritics 0 tokenchars '.:-'"
);
"""


def statements() -> str:
    """Return the statements that make an empty index."""
    return TABLES + "".join(FULL_TEXT.format(level=level) for level in LEVELS)
