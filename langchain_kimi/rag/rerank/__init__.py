"""Rerankers: each takes a question and pages, the best first, and puts them in a better order."""
