"""A shell on langchain's `ShellToolMiddleware`."""

from pathlib import Path
from typing import Any, cast

from langchain.agents.middleware import (
    HostExecutionPolicy,
    PIIMatch,
    RedactionRule,
    ShellToolMiddleware,
)
from langchain.tools import ToolRuntime
from langchain_core.runnables import run_in_executor
from langchain_core.tools import StructuredTool, tool
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from langchain_kimi.tools.keys import key_spans
from langchain_kimi.tools.process import ExecutionPolicy, bare_environment
from langchain_kimi.tools.root import existing_folder

_DESCRIPTION = (
    "Run a shell command in a session that lasts for the whole task: the working folder and "
    "variables are kept from call to call. Output is cut when it is long, and a command that "
    "takes too long is ended and the session restarted. Do not call `exit`: it ends the session."
)

# A shell that exits leaves its background jobs running. `$$` leads a group only where the policy
# made one, so that no other process is reached.
_END_CHILDREN = "trap 'trap \"\" TERM; kill -TERM -- -$$ 2>/dev/null' EXIT"


class _ShellInput(BaseModel):
    """langchain's own schema has only optional arguments, and a model then leaves both out."""

    command: str = Field(description="The command, as in a terminal.")
    restart: bool = Field(default=False, description="Start a new session before the command.")


class Shell(ShellToolMiddleware[Any, Any]):
    """langchain's shell with a plainer schema, which ends without blocking the event loop."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        run_shell = cast("StructuredTool", self.tools[0]).func
        assert run_shell is not None

        @tool("shell", args_schema=_ShellInput, description=_DESCRIPTION)
        def shell(command: str, runtime: ToolRuntime[Any, Any], *, restart: bool = False) -> Any:
            if restart:
                run_shell(runtime=runtime, restart=True)
            return run_shell(runtime=runtime, command=command)

        self.tools = [shell]

    async def aafter_agent(self, state: Any, runtime: Runtime[Any]) -> None:
        """End the session in a thread, since it waits for the shell to exit."""
        await run_in_executor(None, self.after_agent, state, runtime)


def shell_middleware(root: str | Path, *, policy: ExecutionPolicy | None = None) -> Shell:
    """Make the middleware that gives an agent the tool `shell`.

    The session starts in the folder and does not get the caller's environment. The default
    policy, `HostExecutionPolicy`, is no sandbox: a command can do all that your user can, on Linux
    also read the caller's environment with its API keys through `/proc`. They are masked where a
    command prints them as they are, and a command that means to tell them can. Use
    `DockerExecutionPolicy` or `CodexSandboxExecutionPolicy` to isolate, or
    `interrupt_on={"shell": True}` to approve each command.

    Args:
        root: The folder that the session starts in.
        policy: One of langchain's execution policies.

    Returns:
        The middleware.

    Raises:
        NotADirectoryError: When there is no such folder.
    """
    workspace = existing_folder(root)
    return Shell(
        workspace_root=workspace,
        startup_commands=(_END_CHILDREN,),
        execution_policy=policy
        or HostExecutionPolicy(
            command_timeout=60.0,
            termination_timeout=2.0,
            max_output_lines=400,
            max_output_bytes=50_000,
        ),
        env=bare_environment(workspace),
        redaction_rules=(RedactionRule("api_key", detector=_keys),),
    )


def _keys(output: str) -> list[PIIMatch]:
    """Find keys for langchain's redaction, which keeps a match's value in the result's artifact."""
    return [
        PIIMatch(type="api_key", value="", start=start, end=end) for start, end in key_spans(output)
    ]
