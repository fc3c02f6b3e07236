"""The JavaScript SDK and agent-chat-ui's shapes, against either server."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from langchain_kimi.testing import KimiServer, call, say, think
from tests.server.conftest import KEYS

HERE = Path(__file__).parent / "js"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhf"
PNG += "DwAChwGA60e6kgAAAABJRU5ErkJggg=="

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not (shutil.which("node") and (HERE / "node_modules").is_dir()),
        reason="needs node, and `npm ci` in tests/server/js, which scripts/setup.py runs",
    ),
]


def test_uploads_calls_and_approvals_in_javascript(either_server: str, kimi: KimiServer) -> None:
    kimi.clear()
    kimi.script(
        think("A look at the file first."),
        call("read_file", path="pyproject.toml", line_count=2),
        say("A dot."),
    )
    given = {"url": either_server, "key": KEYS["alice"], "kimi": kimi.base_url, "png": PNG}
    done = subprocess.run(
        ["node", "drive.mjs", json.dumps(given)],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == []
    assert {"values", "messages"} <= {event.split("|")[0] for event in found["events"]}
    assert [m["type"] for m in found["messages"]] == ["human", "ai", "tool", "ai"]
    assert found["messages"][1]["tool_calls"][0]["name"] == "read_file"
    assert "hatchling" in found["messages"][2]["content"]
    assert found["messages"][-1]["content"] == "A dot."
    sent = kimi.requests[0]["messages"][-1]["content"]
    assert [part["type"] for part in sent] == ["text", "image_url"]
    assert sent[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert found["interrupts"] == [{"pay": 5}]
    assert "approve" in found["paid"]
    assert found["refused"] == 401
