"""The file tools: what they show, and that they stay within the root."""

import os
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import ToolException

from langchain_kimi.tools import SECRET_FILES, file_tools, files
from langchain_kimi.tools.patterns import glob, regular_expression
from langchain_kimi.tools.root import SKIPPED_FOLDERS, Root


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
        "docs/", "src/", "README.md",
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


@pytest.mark.parametrize("swapped", ["src/app.py", "src"])
def test_what_became_a_link_after_the_check_is_not_read(root: Path, swapped: str) -> None:
    """The swap stands between the check and the opening, where a race would put it."""
    outside = root.parent / "elsewhere"
    outside.mkdir()
    (outside / "app.py").write_text("hello secret\n")

    class Swapping(Root):
        def open(self, real: Path) -> Any:
            if not (root / swapped).is_symlink():
                (root / swapped).rename(root / "moved")
                (root / swapped).symlink_to(outside / ("app.py" if "." in swapped else ""))
            return super().open(real)

    with pytest.raises(ToolException, match="cannot be read: "):
        files._Files(Swapping(root)).read("src/app.py", 1, 10)
    (root / swapped).unlink()
    (root / "moved").rename(root / swapped)
    found = files._Files(Swapping(root)).search("secret", "src/app.py", "")
    assert found == "[no matches]\n[files not searched: 1 unreadable]"


def test_a_folder_that_became_a_link_is_not_listed(root: Path) -> None:
    within = Root(root)
    folder = within.resolve("src")
    (root / "src").rename(root / "moved")
    (root / "src").symlink_to(root.parent)
    assert within.entries(folder) == []
    assert list(within.walk(folder)) == []


def test_a_pipe_that_took_the_place_of_a_file_does_not_block(root: Path) -> None:
    within = Root(root)
    file = within.resolve("README.md")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(OSError, match="no regular file"):
        within.open(file)


def test_an_absolute_path_within_the_root_is_read(use, root: Path) -> None:
    assert "Hello Kimi" in use("read_file", path=str(root / "README.md")).content


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".ENV", ".env.local", "prod.env", ".envrc", "app.env.prod", ".Env.example/.env",
        "server.pem", "SERVER.PEM", "tls.key", "id_rsa", "id_rsa.bak", "deploy/id_ed25519",
        ".netrc", ".npmrc", ".pypirc", ".pgpass", ".git/config", "lib/.git/config",
        ".git/modules/a/b/config", ".git-credentials", ".aws/credentials", ".aws/sso/cache/x",
        ".ssh/known_hosts", "home/.SSH/config", ".docker/config.json", ".kube/config",
        ".config/gcloud/x.db", "credentials.json", "client_secret_1.json", "secrets.toml",
        "terraform.tfstate.backup", "live.tfvars", ".bash_history",
    ],
)  # fmt: skip
def test_secrets_are_neither_read_nor_shown(use, root: Path, name: str) -> None:
    secret = root / name
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("KEY=hello-secret\n")
    (root / "alias.txt").symlink_to(secret)
    for path in (name, "alias.txt", str(secret), f"src/../{name}"):
        result = use("read_file", path=path)
        assert result.status == "error"
        assert "usually holds secrets (keys, passwords) and is not read" in result.content
        assert "secrets" in use("search_files", pattern="KEY", path=path).content
    assert "KEY" not in use("search_files", pattern="KEY", include="**").content
    assert secret.name not in use("list_files", pattern="**").content.split("\n")
    assert "alias.txt" not in use("list_files").content
    assert secret.name not in use("list_files", path=str(secret.parent)).content.split("\n")


@pytest.mark.parametrize(
    "name",
    [
        ".env.example", "api.env.sample", "example.env", "id_rsa.pub", "environment.py",
        "keys.py", "monkey.json", "config.json", ".github/config", "secrets.py",
        "dev.tfvars.example",
    ],
)  # fmt: skip
def test_what_holds_no_secret_is_shown(use, root: Path, name: str) -> None:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("KEY=\n")
    assert use("read_file", path=name).content == "    1  KEY="
    assert f"{name}:1: KEY=" in use("search_files", pattern="KEY").content


def test_a_secret_name_that_links_to_another_file_is_not_read(use, root: Path) -> None:
    (root / "settings.txt").write_text("KEY=1\n")
    (root / ".env").symlink_to(root / "settings.txt")
    assert "usually holds secrets" in use("read_file", path=".env").content
    assert ".env" not in use("list_files").content


def test_the_table_of_secrets_can_be_extended(root: Path) -> None:
    (root / "data.sqlite").write_text("KEY\n")
    (root / ".env").write_text("KEY\n")
    _, read, _ = file_tools(root, secrets=[*SECRET_FILES, "*.sqlite", "!.env"])
    assert "usually holds secrets" in read.invoke({"path": "data.sqlite"})
    assert read.invoke({"path": ".env"}) == "    1  KEY"


def test_folders_of_tools_are_left_out_unless_they_are_named(use, root: Path) -> None:
    for name in SKIPPED_FOLDERS:
        (root / name).mkdir(exist_ok=True)
        (root / name / "inside.txt").write_text("hello\n")
    assert use("list_files").content.split("\n") == ["docs/", "src/", "README.md"]
    assert use("list_files", pattern="*.txt").content == "[no files]"
    assert "inside" not in use("search_files", pattern="hello").content
    assert use("list_files", path=".venv", pattern="*.txt").content == ".venv/inside.txt"
    assert "inside" in use("search_files", pattern="hello", path="node_modules").content


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "(.*a){25}$", "(a?){500}a{500}$", "(?:(?:a*)*)*b"]
)
def test_no_pattern_takes_exponential_time(use, root: Path, pattern: str) -> None:
    (root / "a.txt").write_text(("a" * 2_000 + "!\n") * 50)
    assert "a.txt" not in use("search_files", pattern=pattern, path="docs").content
    regular_expression(pattern).occurs_in("a" * 100_000 + "!")


@pytest.mark.parametrize("pattern", ["**/" * 200 + "x", "*a" * 300, "{a,*}" * 150 + "x"])
def test_no_glob_takes_exponential_time(pattern: str) -> None:
    assert not glob(pattern).fits("a" * 2_000 + "/b" * 1_000)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=x)", "no lookaround"),
        (r"(a)\1", "no backreferences"),
        ("(?:(?:a{999}){999}){999}", "not a valid"),
        ("x" * 1_001, "longer than 1,000 characters"),
        ("\ud800", "no text"),
    ],
)
def test_what_the_engine_does_not_take_is_explained(use, pattern: str, reason: str) -> None:
    assert reason in use("search_files", pattern=pattern).content
    with pytest.raises(ToolException):
        glob(pattern * 300) if len(pattern) < 10 else regular_expression(pattern)


def test_a_search_and_a_listing_end_when_their_time_is_up(use, monkeypatch) -> None:
    monkeypatch.setattr(files, "MAX_SECONDS", 0.0)
    for result in (use("search_files", pattern="hello"), use("list_files", pattern="*.py")):
        assert result.content.endswith("[stopped when its time was up; narrow the path]")


def test_very_deep_folders_are_searched(use, root: Path) -> None:
    folder = root
    for _ in range(1_100):
        folder /= "d"
        folder.mkdir()
    (folder / "deep.txt").write_text("hello\n")
    try:
        listed = use("list_files", pattern="deep.txt").content
        searched = use("search_files", pattern="hello").content
    finally:  # too deep for who cleans up after the tests
        (folder / "deep.txt").unlink()
        os.removedirs(folder)
    assert listed.endswith("/d/deep.txt")
    assert "deep.txt:1: hello" in searched


def test_names_are_shown_on_one_line_and_as_text(use, root: Path) -> None:
    (root / "a\n[no files]\x1b[2J").write_text("hello\n")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_text("hello\n")
    shown = use("list_files").content
    assert "a\ufffd[no files]\ufffd[2J" in shown.split("\n")
    assert "caf\ufffd.txt" in shown.split("\n")
    assert use("list_files", pattern="*.txt").content == "caf\ufffd.txt"
    assert "caf\ufffd.txt:1: hello" in use("search_files", pattern="hello").content


def test_long_lines_and_names_do_not_fill_the_context(use, root: Path) -> None:
    (root / "wide.txt").write_text(("hello" * 400 + "\n") * 300)
    part = use("read_file", path="wide.txt").content
    assert len(part) < 65_000
    assert part.endswith("[270 more lines; go on with start_line=31]")
    folder = root / ("n" * 200) / ("m" * 200) / ("o" * 200)
    folder.mkdir(parents=True)
    for number in range(300):
        (folder / f"{number}.log").touch()
    assert len(use("list_files", pattern="*.log").content) < 65_000


@pytest.mark.parametrize("path", ["x" * 5_000, "/".join("x" * 3_000), "\ud800", "~/.ssh/id_rsa"])
def test_a_path_that_cannot_be_is_refused_shortly(use, path: str) -> None:
    for name, args in (("read_file", {}), ("list_files", {}), ("search_files", {"pattern": "x"})):
        result = use(name, path=path, **args)
        assert result.status == "error"
        assert len(result.content) < 400


def test_pipes_and_devices_are_never_opened(use, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "zero").symlink_to("/dev/zero")
    assert use("list_files", pattern="*").content.split("\n")[0] == "README.md"
    assert "pipe" not in use("list_files").content
    assert "neither a folder nor a file" in use("search_files", pattern="x", path="pipe").content
    assert "outside the root" in use("read_file", path="zero").content


def test_what_the_system_refuses_is_an_answer(use, root: Path, monkeypatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    assert use("read_file", path="README.md").content == (
        "'README.md' cannot be read: Permission denied."
    )
    assert use("list_files").content == "[no files]"
    assert use("search_files", pattern="x", path="README.md").content == (
        "[no matches]\n[files not searched: 1 unreadable]"
    )


def test_numbers_of_any_size_are_taken(use) -> None:
    assert "has no line 1000000" in use("read_file", path="README.md", start_line=10**30).content
    assert use("read_file", path="README.md", start_line=-5, line_count=-5).content.startswith(
        "    1  # Title"
    )


def test_a_root_must_be_a_folder(root: Path) -> None:
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        Root(root / "README.md")


def test_tools_come_in_a_fixed_order(root: Path) -> None:
    assert [tool.name for tool in file_tools(root)] == ["list_files", "read_file", "search_files"]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
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
        ("{*.py,src/*.js}", "a/b.py", False),
        ("**/{*.py,*.js}", "a/b.js", True),
        ("x[!a]y", "x/y", False),
        ("a[[]b", "a[b", True),
        ("a*", "a\nb", True),
    ],
)
def test_globs(pattern: str, path: str, matches: bool) -> None:
    assert glob(pattern).fits(path) is matches


def test_braces_within_braces_are_explained(use) -> None:
    result = use("list_files", pattern="**/*.{py,{md,txt}}")
    assert result.status == "error"
    assert "Write all alternatives in one: {a,b,c}" in result.content
    assert use("list_files", pattern="*.{py,md}").content.split("\n")[0] == "README.md"
