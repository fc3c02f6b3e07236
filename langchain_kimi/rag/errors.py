"""What can go wrong in a corpus.

RagError
├── UnreadableFileError      damaged, or not of the type its name says
│   ├── EncryptedFileError   needs a password
│   └── FileTooLargeError    over the limit of its type
├── StaleFileError           gone or changed since it was ingested
├── UnsupportedFileError     no parser, or its extra is not installed
├── EmbeddingError           an embedding model that does not load or does not answer
├── RerankError              a reranker that gives no order
└── IndexMismatchError       an index made with another embedding model or layout
"""

from __future__ import annotations


class RagError(Exception):
    """Base class of the errors of a corpus."""


class UnreadableFileError(RagError):
    """The file is damaged, or is not of the type that its name says."""


class EncryptedFileError(UnreadableFileError):
    """The file needs a password."""


class FileTooLargeError(UnreadableFileError):
    """The file is over the limit of its type."""


class StaleFileError(RagError):
    """The file is gone or has changed since it was ingested."""


class UnsupportedFileError(RagError):
    """There is no parser for this type, or the extra it needs is not installed."""


class IndexMismatchError(RagError):
    """The index was made with another embedding model or another layout."""


class EmbeddingError(RagError):
    """The embedding model does not load, or does not answer as asked."""


class RerankError(RagError):
    """The reranker gave no order."""
