"""Files to parsed documents, and folders into an index."""
