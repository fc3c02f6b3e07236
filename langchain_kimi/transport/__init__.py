"""Sockets: pools, streams, retries, polling. Bytes of JSON go out, dicts come in."""

from langchain_kimi.transport.reply import Reply
from langchain_kimi.transport.retry import RetryPolicy
from langchain_kimi.transport.stream import AsyncEventStream, EventStream
from langchain_kimi.transport.timeout import Timeout
from langchain_kimi.transport.transport import Transport

__all__ = ["AsyncEventStream", "EventStream", "Reply", "RetryPolicy", "Timeout", "Transport"]
