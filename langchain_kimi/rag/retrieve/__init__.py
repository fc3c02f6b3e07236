"""From a question to pages and regions."""
