"""What the package says it offers is there, and nothing else."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest

import langchain_kimi

ROOT = Path(langchain_kimi.__file__).parent


def modules() -> list[str]:
    """List the modules that say what they offer, without importing one."""
    return [
        ".".join(["langchain_kimi", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(
            ".__init__"
        )
        for path in sorted(ROOT.rglob("*.py"))
        if "__all__ = " in path.read_text()
    ]


def test_the_public_surface() -> None:
    assert langchain_kimi.__all__ == sorted(langchain_kimi.__all__)
    assert dir(langchain_kimi) == langchain_kimi.__all__
    for name in langchain_kimi.__all__:
        assert getattr(langchain_kimi, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'ChatKimmy'"):
        _ = langchain_kimi.ChatKimmy


def test_the_version_is_the_distributions() -> None:
    assert langchain_kimi.__version__ == version("langchain-kimi-nvidia")


def test_types_are_shipped() -> None:
    assert (ROOT / "py.typed").is_file()


@pytest.mark.parametrize("name", modules())
def test_all_names_what_is_there(name: str) -> None:
    module = importlib.import_module(name)
    offered = module.__all__

    assert len(set(offered)) == len(offered)
    assert list(offered) == sorted(offered, key=_sort_key)
    for public in offered:
        assert hasattr(module, public), f"{name}.__all__ names {public}, which is not there"


@pytest.mark.parametrize("name", modules())
def test_public_classes_and_functions_are_documented(name: str) -> None:
    module = importlib.import_module(name)

    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{public} has no docstring"


def test_the_modules_are_found() -> None:
    assert {"langchain_kimi.chat_models", "langchain_kimi.wire.request"} <= set(modules())


def _sort_key(name: str) -> tuple[int, str]:
    """As ruff sorts __all__: constants, classes, the rest."""
    kind = 0 if name.isupper() else 1 if name[:1].isupper() else 2
    return kind, name
