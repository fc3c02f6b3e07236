"""Answers in a schema: asked for, read, validated, repaired once."""

from langchain_kimi.structured_output.runnable import Method, structured_output
from langchain_kimi.structured_output.schema import AnswerSchema, read_schema

__all__ = ["AnswerSchema", "Method", "read_schema", "structured_output"]
