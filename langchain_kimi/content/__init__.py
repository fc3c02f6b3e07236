"""Pictures, films and documents: from files to message blocks, and what they cost."""
