"""The file tools: what they show, and that they stay within the root."""

import os
from pathlib import Path
from typing import Any

import pytest

from langchain_kimi.tools import file_tools
from langchain_kimi.tools.root import Root, glob_pattern


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("src/deep", ".git", ".venv/lib", "docs"):
        (root / folder).mkdir(parents=True)
    (root / "README.md").write_text("# Title\n\nHello Kimi.\n")
    (root / "src/app.py").write_text("import os\n\nprint('hello')\n")
    (root / "src/deep/util.py").write_text("HELLO = 1\n")
    (root / "src/data.json").write_text('{"hello": 1}\n')
    (root / ".git/config").write_text("hello\n")
    (root / ".venv/lib/hello.py").write_text("hello\n")
    (root / "docs/picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0hello")
    (tmp_path / "outside.txt").write_text("hello secret\n")
    return root


@pytest.fixture
def use(root: Path) -> Any:
    tools = {tool.name: tool for tool in file_tools(root)}

    def use(name: str, **args: Any) -> Any:
        call = {"name": name, "args": args, "id": "1", "type": "tool_call"}
        return tools[name].invoke(call)

    return use


def test_list_shows_one_folder(use) -> None:
    assert use("list_files").content.split("\n") == [
        ".git/", ".venv/", "docs/", "src/", "README.md",
    ]  # fmt: skip
    assert use("list_files", path="src").content.split("\n") == [
        "src/deep/", "src/app.py", "src/data.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.py", ["src/app.py", "src/deep/util.py"]),
        ("**/*.py", ["src/app.py", "src/deep/util.py"]),
        ("src/*.py", ["src/app.py"]),
        ("src/**/*.{py,json}", ["src/app.py", "src/data.json", "src/deep/util.py"]),
        ("R?ADME.[mn]d", ["README.md"]),
        ("*.rs", ["[no files]"]),
    ],
)
def test_list_by_pattern(use, pattern: str, expected: list[str]) -> None:
    assert use("list_files", pattern=pattern).content.split("\n") == expected


def test_list_is_bounded(use, root: Path) -> None:
    for number in range(501):
        (root / "docs" / f"{number:03}.txt").touch()
    lines = use("list_files", pattern="*.txt").content.split("\n")
    assert len(lines) == 501
    assert lines[-1] == "[the first 500 only; narrow the path or the pattern]"


def test_read_numbers_lines_and_says_what_is_left(use, root: Path) -> None:
    (root / "long.txt").write_text("".join(f"line {n}\n" for n in range(1, 1_001)))
    assert use("read_file", path="README.md").content == (
        "    1  # Title\n    2\n    3  Hello Kimi."
    )
    part = use("read_file", path="long.txt", start_line=10, line_count=2).content
    assert part == "   10  line 10\n   11  line 11\n[989 more lines; go on with start_line=12]"
    whole = use("read_file", path="long.txt", line_count=100_000).content.split("\n")
    assert len(whole) == 401
    assert use("read_file", path="long.txt", start_line=2_000).content == (
        "[the file has no line 2000]"
    )


def test_read_bounds_lines_and_knows_encodings(use, root: Path) -> None:
    (root / "wide.txt").write_text("x" * 5_000)
    (root / "empty.txt").touch()
    (root / "latin.txt").write_bytes(b"caf\xe9\n")
    (root / "utf16.txt").write_text("größer\n", encoding="utf-16")
    (root / "bom.txt").write_text("plain\n", encoding="utf-8-sig")
    assert use("read_file", path="wide.txt").content.endswith("… [3,000 more characters]")
    assert use("read_file", path="empty.txt").content == "[empty file]"
    assert use("read_file", path="latin.txt").content == "    1  caf\ufffd"
    assert use("read_file", path="utf16.txt").content == "    1  größer"
    assert use("read_file", path="bom.txt").content == "    1  plain"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("docs/picture.png", "is a binary file of 15 bytes"),
        ("src", "is not a file"),
        ("missing.py", "There is no 'missing.py'"),
        ("a\0b", "There is no"),
        ("pipe", "is not a file"),
    ],
)
def test_read_refuses_with_a_reason(use, root: Path, path: str, reason: str) -> None:
    os.mkfifo(root / "pipe")
    result = use("read_file", path=path)
    assert result.status == "error"
    assert reason in result.content


def test_giant_files_are_refused_and_not_searched(use, root: Path) -> None:
    with (root / "giant.log").open("wb") as file:
        file.write(b"hello\n")
        file.truncate(60_000_000)
    assert "too large to read: 60,000,000 bytes" in use("read_file", path="giant.log").content
    found = use("search_files", pattern="hello").content
    assert "giant.log" not in found
    assert found.endswith("[files not searched: 1 binary, 1 too large]")


def test_search_finds_lines(use) -> None:
    assert use("search_files", pattern="(?i)hello").content.split("\n") == [
        "README.md:3: Hello Kimi.",
        "src/app.py:3: print('hello')",
        'src/data.json:1: {"hello": 1}',
        "src/deep/util.py:1: HELLO = 1",
        "[files not searched: 1 binary]",
    ]
    assert use("search_files", pattern="hello", include="*.py", path="src").content == (
        "src/app.py:3: print('hello')"
    )
    assert use("search_files", pattern="Title", path="README.md").content == "README.md:1: # Title"
    assert use("search_files", pattern="nothing", include="*.md").content == "[no matches]"


def test_search_is_bounded(use, root: Path) -> None:
    (root / "many.txt").write_text("hello\n" * 1_000)
    (root / "wide.txt").write_text("hello " + "x" * 5_000)
    lines = use("search_files", pattern="hello", path="many.txt").content.split("\n")
    assert len(lines) == 101
    assert lines[-1].startswith("[the first 100 matches only")
    assert len(use("search_files", pattern="hello", path="wide.txt").content) < 400


@pytest.mark.parametrize(
    ("args", "kind"),
    [({"pattern": "("}, "regular expression"), ({"pattern": "a", "include": "[z-a]"}, "glob")],
)
def test_search_explains_a_bad_pattern(use, args: dict[str, str], kind: str) -> None:
    result = use("search_files", **args)
    assert result.status == "error"
    assert f"is not a valid {kind}" in result.content


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/passwd", "src/../../outside.txt", ".."])
def test_no_path_leads_out(use, path: str) -> None:
    for name, args in (
        ("read_file", {"path": path}),
        ("list_files", {"path": path}),
        ("search_files", {"path": path, "pattern": "hello"}),
    ):
        result = use(name, **args)
        assert result.status == "error"
        assert "lies outside the root folder" in result.content


def test_no_symlink_leads_out(use, root: Path) -> None:
    (root / "link.txt").symlink_to(root.parent / "outside.txt")
    (root / "linked").symlink_to(root.parent)
    (root / "loop").symlink_to(root / "loop")
    (root / "inner.txt").symlink_to(root / "README.md")
    assert "outside the root" in use("read_file", path="link.txt").content
    assert "outside the root" in use("read_file", path="linked/outside.txt").content
    assert "There is no" in use("read_file", path="loop").content
    assert "secret" not in use("search_files", pattern="hello").content
    assert use("list_files", pattern="*.txt").content == "inner.txt"
    assert "Hello Kimi" in use("read_file", path="inner.txt").content


def test_an_absolute_path_within_the_root_is_read(use, root: Path) -> None:
    assert "Hello Kimi" in use("read_file", path=str(root / "README.md")).content


@pytest.mark.parametrize("name", [".env", ".env.local", "server.pem", "id_rsa", ".netrc"])
def test_secrets_are_not_read(use, root: Path, name: str) -> None:
    (root / name).write_text("KEY=hello-secret\n")
    (root / ".env.example").write_text("KEY=\n")
    (root / "alias.txt").symlink_to(root / name)
    for path in (name, "alias.txt"):
        assert "file for secrets" in use("read_file", path=path).content
    found = use("search_files", pattern="KEY").content
    assert found == ".env.example:1: KEY=\n[files not searched: 1 binary]"


def test_a_root_must_be_a_folder(root: Path) -> None:
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        Root(root / "README.md")


def test_tools_come_in_a_fixed_order(root: Path) -> None:
    assert [tool.name for tool in file_tools(root)] == ["list_files", "read_file", "search_files"]


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("*", "a/b/c.py", True),
        ("a/*", "a/b/c.py", False),
        ("a/**", "a/b/c.py", True),
        ("./a/*.py", "a/c.py", True),
        ("[!a]*.py", "a/b.py", True),
        ("[!a]*.py", "x/a.py", False),
        ("a.b", "aXb", False),
        ("{a", "{a", True),
        ("[]", "[]", True),
    ],
)
def test_globs(glob: str, path: str, matches: bool) -> None:
    assert bool(glob_pattern(glob).fullmatch(path)) is matches
