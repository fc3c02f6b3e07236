"""`langchain-kimi demo` and `langchain-kimi endpoint`."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.request import url2pathname

import pytest

from langchain_kimi.testing import say, unauthorized

REPOSITORY = Path(__file__).parents[2]
CLI = [sys.executable, "-m", "langchain_kimi.cli"]


def test_the_demo_without_a_key(tmp_path) -> None:
    done = subprocess.run(
        [*CLI, "demo"], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PATH": "", "COLUMNS": "120"},
    )  # fmt: skip
    assert done.stdout.startswith("No API key and no base URL are set: a stand-in answers")
    assert '→ read_file(path="pyproject.toml")' in done.stdout
    requires = re.search(r"requires-python.*", (REPOSITORY / "pyproject.toml").read_text()).group()
    assert requires in done.stdout
    assert "langchain_kimi/middleware/repeated_calls.py" in done.stdout
    assert "Simulated: the model." in done.stdout
    assert "7 done, 0 running, 0 queued, 0 failed of 7" in done.stdout
    assert "In 2025 the mill sold 81 tonnes of oats" in done.stdout
    assert re.search(r"^\[\d\] tour\.mp4#t=8,12 ", done.stdout, re.MULTILINE), "no film is cited"
    assert "cost: not known: no price of a million tokens was given" in done.stdout
    report = Path(url2pathname(re.search(r"report: file://(\S+)", done.stdout).group(1)))
    assert "data:image/" in report.read_text()
    assert done.stderr == ""


def test_the_demo_on_an_endpoint(command, kimi_server, on, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    kimi_server.script(*[say("An answer.")] * 3)
    done = command("demo", *on)
    assert done.exit_code == 0
    assert "Nothing is simulated" in done.stdout
    assert len(kimi_server.requests) == 3


def test_the_demo_says_what_went_wrong(command, kimi_server, on, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    kimi_server.script(unauthorized())
    done = command("demo", *on)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert "Nothing is simulated" not in done.stdout


def test_the_endpoint_serves_until_ctrl_c() -> None:
    server = subprocess.Popen(
        [*CLI, "endpoint", "--dialect", "nvidia", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = server.stdout.readline()
        url = re.fullmatch(r"Stand-in \(no model\) speaking nvidia on (\S+)\n", line).group(1)
        with urllib.request.urlopen(f"{url}/models", timeout=10) as reply:
            assert json.load(reply)["data"]
    finally:
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=20)
    assert (server.returncode, errors) == (130, "")


def test_a_port_in_use_is_named(command, kimi_server) -> None:
    done = command("endpoint", "--port", str(kimi_server.port))
    assert done.exit_code == 1
    assert f"127.0.0.1:{kimi_server.port} is in use" in done.stderr
    assert "--port 0" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dialect", "auto"], "choose one of"),
        (["--dialect", "morse"], "Invalid value"),
        (["--port", "99999"], "less than or equal to 65535"),
    ],
)
def test_a_wrong_option_is_refused(command, arguments: list[str], said: str) -> None:
    done = command("endpoint", *arguments)
    assert done.exit_code != 0
    assert said in done.stderr
