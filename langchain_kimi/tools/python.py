"""A tool that runs Python under one of langchain's execution policies."""

import sys
from pathlib import Path

from langchain.agents.middleware import HostExecutionPolicy
from langchain_core.tools import BaseTool, ToolException, tool

from langchain_kimi.tools.process import ExecutionPolicy, bare_environment, run
from langchain_kimi.tools.root import existing_folder

# The watchdog ends code inside a container too, where killing the client would not reach it.
_RUNNER = (
    "import faulthandler, sys; faulthandler.dump_traceback_later({seconds}, exit=True); "
    "exec(compile(sys.stdin.read(), '<python>', 'exec'), {{'__name__': '__main__'}})"
)


def python_tool(root: str | Path, *, policy: ExecutionPolicy | None = None) -> BaseTool:
    """Make the tool `run_python`: run a script in a folder and return what it prints.

    Each call is a process of its own, which does not get the caller's environment. The policy
    says where it runs: `HostExecutionPolicy`, the default, bounds time and memory but is no
    sandbox. A script reads what your user can, on Linux also the caller's environment with its API
    keys through `/proc`; they are masked where a script prints them as they are, and a script that
    means to tell them can. `DockerExecutionPolicy` and `CodexSandboxExecutionPolicy` isolate. The
    default allows 60 seconds and 2 GB.

    Args:
        root: The folder that the script starts in.
        policy: One of langchain's execution policies.

    Returns:
        The tool.

    Raises:
        NotADirectoryError: When there is no such folder.
    """
    workspace = existing_folder(root)
    chosen = policy or HostExecutionPolicy(command_timeout=60.0, memory_bytes=2_000_000_000)
    runs_here = isinstance(chosen, HostExecutionPolicy)
    seconds = chosen.command_timeout + (5 if runs_here else 0)
    command = [
        sys.executable if runs_here else "python3",
        "-I",
        "-c",
        _RUNNER.format(seconds=seconds),
    ]

    @tool(parse_docstring=True)
    def run_python(code: str) -> str:
        """Run a Python script and return what it prints.

        Each call starts afresh: variables are not kept, files in the working folder are. Print
        what you want to see.

        Args:
            code: The script.
        """
        outcome = run(
            chosen,
            command,
            workspace=workspace,
            environment=bare_environment(workspace),
            stdin=code,
        )
        if outcome.exit_code == 0:
            return outcome.output
        if outcome.exit_code is None:
            ending = f"The script was ended after {chosen.command_timeout:g} seconds."
        else:
            ending = f"The script failed with exit code {outcome.exit_code}."
        msg = f"{ending}\n{outcome.output}"
        raise ToolException(msg)

    run_python.handle_tool_error = True
    return run_python
