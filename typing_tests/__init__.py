"""Files that a type checker reads and nothing runs."""
