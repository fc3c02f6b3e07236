"""Tool and reply schemas in the JSON Schema dialect that Kimi takes."""

from langchain_kimi.wire.tool_schemas.issues import schema_issues
from langchain_kimi.wire.tool_schemas.schema import schema_differences, to_kimi_schema
from langchain_kimi.wire.tool_schemas.tools import to_kimi_tool, to_kimi_tools
from langchain_kimi.wire.tool_schemas.translation import SchemaDifference

__all__ = [
    "SchemaDifference",
    "schema_differences",
    "schema_issues",
    "to_kimi_schema",
    "to_kimi_tool",
    "to_kimi_tools",
]
