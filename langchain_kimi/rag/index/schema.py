"""Tables of the SQLite index."""

from __future__ import annotations

from langchain_kimi.rag.text import ANALYSER

VERSION = f"2.{ANALYSER}"
LEVELS = ("document", "page", "chunk")

TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL,
  media_type TEXT NOT NULL, date TEXT NOT NULL, record TEXT NOT NULL,
  UNIQUE (namespace, id)
);
CREATE TABLE IF NOT EXISTS tags (
  namespace TEXT NOT NULL, document_id TEXT NOT NULL, tag TEXT NOT NULL,
  PRIMARY KEY (namespace, document_id, tag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS units (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, document_id TEXT NOT NULL,
  id TEXT NOT NULL, level TEXT NOT NULL, kind TEXT NOT NULL, page INTEGER NOT NULL,
  head TEXT NOT NULL, body TEXT NOT NULL, refs TEXT NOT NULL,
  text TEXT NOT NULL, extra TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS units_by_document ON units (namespace, document_id, level, page);
CREATE INDEX IF NOT EXISTS units_by_id ON units (namespace, id);
CREATE TABLE IF NOT EXISTS tenants (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS sizes (
  tenant INTEGER NOT NULL, level INTEGER NOT NULL, units INTEGER NOT NULL, words INTEGER NOT NULL,
  PRIMARY KEY (tenant, level)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS postings (
  tenant INTEGER NOT NULL, field INTEGER NOT NULL, term TEXT NOT NULL, document INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (tenant, field, term, document)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (
  number INTEGER PRIMARY KEY REFERENCES units (number), vector BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS engine_keys (
  number INTEGER PRIMARY KEY REFERENCES units (number), key TEXT NOT NULL UNIQUE,
  stamp TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS engine_stamps (
  stamp TEXT PRIMARY KEY, namespace TEXT NOT NULL, document_id TEXT NOT NULL,
  entries INTEGER NOT NULL, state TEXT NOT NULL, since REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stamps_by_document ON engine_stamps (namespace, document_id);
CREATE INDEX IF NOT EXISTS stamps_by_state ON engine_stamps (state);
"""
