"""The pytest plugin, the command line, and what importing costs."""

import re
import subprocess
import sys
import urllib.request

import pytest

from langchain_kimi import testing
from langchain_kimi.testing.__main__ import main, parser


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_without_a_mark_it_speaks_vllm(kimi_server):
    assert kimi_server.dialect == "vllm"


@pytest.mark.kimi("nvidia", api_key="k")
def test_the_mark_sets_the_server_up(kimi_server):
    assert kimi_server.dialect == "nvidia"
    assert kimi_server.settings.api_key == "k"


def test_the_factory_starts_several(kimi_server_factory):
    first, second = kimi_server_factory("moonshot"), kimi_server_factory("sglang", seed=1)

    assert first.port != second.port
    assert second.settings.seed == 1


@pytest.mark.parametrize(
    "module", ["langchain_kimi", "langchain_kimi.testing", "langchain_kimi.testing.pytest_plugin"]
)
def test_importing_brings_in_no_server(module):
    code = f"import sys, {module}; print('langchain_kimi.testing.server' in sys.modules)"

    assert python(code) == "False"


def test_the_package_offers_what_it_lists():
    code = "from langchain_kimi.testing import *; print(KimiServer.__name__, say('a').text)"

    assert python(code) == "KimiServer a"


def test_the_package_documents_what_it_offers():
    types = {"Exchange", "Part", "Turn"}
    undocumented = [
        name
        for name in set(testing.__all__) - types
        if not re.search(rf"\b{name}\b", testing.__doc__)
    ]

    assert undocumented == []
    assert all(getattr(testing, name).__doc__ for name in testing.__all__)


def test_unknown_names_are_reported():
    with pytest.raises(ImportError, match="cannot import name 'KimiClient'"):
        from langchain_kimi.testing import KimiClient  # noqa: F401


def test_the_command_line_serves():
    command = [sys.executable, "-m", "langchain_kimi.testing", "--dialect", "nvidia", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        try:
            line = serving.stdout.readline()
            base_url = line.split()[-1]
            with urllib.request.urlopen(f"{base_url}/models", timeout=30) as reply:
                listing = reply.read()
        finally:
            serving.terminate()

    assert line.startswith("Stand-in (no model) speaking nvidia on http://127.0.0.1:")
    assert b"moonshotai/kimi-k2.6" in listing


def test_the_command_line_has_defaults():
    options = parser().parse_args([])

    assert (options.dialect, options.host, options.port) == ("vllm", "127.0.0.1", 8123)


def test_the_command_line_refuses_unknown_dialects(capsys):
    with pytest.raises(SystemExit):
        main(["--dialect", "openai"])
    assert "moonshot" in capsys.readouterr().err
