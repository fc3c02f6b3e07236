"""One request for each ability of an endpoint."""

import base64
import json
import mimetypes
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.cli.findings import Result, no, not_tested, yes
from langchain_kimi.cli.gate import BUDGET_TOKENS
from langchain_kimi.cli.plain import shortened
from langchain_kimi.cli.transcript import call_text
from langchain_kimi.endpoints import resolve_endpoint
from langchain_kimi.errors import KimiStructuredOutputError

_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The name of the city."}},
            "required": ["city"],
        },
    },
}
_CITY = {
    "title": "City",
    "description": "A city.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "country": {"type": "string"}},
    "required": ["name", "country"],
}


@dataclass(frozen=True)
class Subject:
    """What is asked: the model, its first reply, and a video if there is one."""

    llm: ChatKimi
    first: AIMessage
    video: Path | None

    def ask(self, content: Any, **options: Any) -> AIMessage:
        """Ask once, with a small budget."""
        llm = self.llm.bind(max_completion_tokens=BUDGET_TOKENS, **options)
        return llm.invoke([HumanMessage(content)])


def thinking(subject: Subject) -> Result:
    """Look for reasoning in the first reply."""
    if not subject.llm.facts.profile().get("reasoning_output", True):
        return no("this model does not think")
    text = subject.first.additional_kwargs.get("reasoning_content")
    if text:
        return yes(f"{len(text):,} characters of reasoning came with the first reply")
    return no("no reasoning came; a server of your own needs its reasoning parser for kimi_k2")


def thinking_off(subject: Subject) -> Result:
    """Ask without thinking."""
    reply = subject.ask("Reply with the word: ready", thinking=False)
    if reply.additional_kwargs.get("reasoning_content"):
        return no("reasoning came all the same")
    return yes(f"answered without reasoning: {_quoted(reply)}")


def tool_call(subject: Subject) -> Result:
    """Offer one tool that fits."""
    reply = subject.ask("What is the weather in Paris? Call the tool.", tools=[_WEATHER])
    if reply.tool_calls:
        return yes(call_text(reply.tool_calls[0]))
    if reply.invalid_tool_calls:
        return no(f"the call cannot be read: {reply.invalid_tool_calls[0]['error']}")
    return no(f"no call came but: {_quoted(reply)}")


def parallel_calls(subject: Subject) -> Result:
    """Ask for two calls at once."""
    reply = subject.ask(
        'Call the tool for "Paris" and for "Rome", both calls in this turn.', tools=[_WEATHER]
    )
    count = len(reply.tool_calls)
    if count > 1:
        return yes(", ".join(call_text(call) for call in reply.tool_calls))
    return no("one call came" if count else f"no call came but: {_quoted(reply)}")


def json_schema(subject: Subject) -> Result:
    """Ask for an answer in a schema, without repairing it."""
    model = subject.llm.with_structured_output(_CITY, method="json_schema", repair=False)
    try:
        city = model.invoke("Paris is the capital of France. Give the city and its country.")
    except KimiStructuredOutputError as error:
        return no(f"the answer does not fit the schema: {shortened(str(error), 200)}")
    return yes(json.dumps(city, ensure_ascii=False))


def image(subject: Subject) -> Result:
    """Show a red square."""
    picture = base64.b64encode(_red_square(64)).decode()
    reply = subject.ask(
        [
            {"type": "text", "text": "Which colour is this square? One word."},
            {"type": "image", "base64": picture, "mime_type": "image/png"},
        ]
    )
    if "red" in reply.text.lower():
        return yes(f"a red square was called: {_quoted(reply)}")
    return no(f"a picture was accepted, but a red square was called: {_quoted(reply)}")


def video(subject: Subject) -> Result:
    """Show the given video."""
    row, _ = resolve_endpoint(subject.llm.endpoint, subject.llm.base_url)
    if not row.native_video:
        return not_tested(f"{row.name} endpoints take no video; send sampled frames as pictures")
    if subject.video is None:
        return not_tested("there is no video to send; pass --video FILE")
    kind = mimetypes.guess_type(subject.video.name)[0] or "video/mp4"
    data = base64.b64encode(subject.video.read_bytes()).decode()
    reply = subject.ask(
        [
            {"type": "text", "text": "What is in this video? One sentence."},
            {"type": "video", "base64": data, "mime_type": kind},
        ]
    )
    return yes(_quoted(reply))


def streaming(subject: Subject) -> Result:
    """Count the pieces of a streamed reply."""
    llm = subject.llm.bind(max_completion_tokens=BUDGET_TOKENS)
    chunks = list(llm.stream("Count from one to ten, in words."))
    pieces = [c for c in chunks if c.text or c.additional_kwargs.get("reasoning_content")]
    usage = next((c.usage_metadata for c in reversed(chunks) if c.usage_metadata), None)
    counted = "with usage" if usage else "without usage"
    if len(pieces) > 1:
        return yes(f"{len(pieces)} pieces, {counted}")
    return no(f"the reply came in {len(pieces)} piece, {counted}")


def usage(subject: Subject) -> Result:
    """Look for token counts in the first reply."""
    counts = subject.first.usage_metadata
    if counts is None:
        return no("the first reply had no token counts")
    details = counts.get("output_token_details", {}).get("reasoning")
    reasoning = "not told apart" if details is None else f"{details:,} of them reasoning"
    return yes(f"{counts['input_tokens']:,} in, {counts['output_tokens']:,} out, {reasoning}")


PROBES: dict[str, Callable[[Subject], Result]] = {
    "thinking": thinking,
    "thinking off": thinking_off,
    "tool call": tool_call,
    "parallel calls": parallel_calls,
    "JSON schema": json_schema,
    "image": image,
    "video": video,
    "streaming": streaming,
    "usage": usage,
}


def _quoted(reply: AIMessage) -> str:
    return repr(shortened(" ".join(reply.text.split()), 80))


def _red_square(side: int) -> bytes:
    """Write a red PNG without an image library."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    row = b"\0" + b"\xff\0\0" * side
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row * side)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
