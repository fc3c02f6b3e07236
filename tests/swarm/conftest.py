"""A PostgreSQL server of our own, for tests that need one."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


class PostgresServer:
    """A server in a folder of its own, on a socket in it; nothing else is touched."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.server = f"postgresql://test@/postgres?host={folder}"
        self.url = self.server
        """The URL of a schema of its own, for tests use the same names of runs."""
        self._schemas = 0
        self._binaries = binaries
        self._data = str(folder / "data")
        options = f"-k {folder} -c listen_addresses='' -c fsync=on"
        self._control = ["pg_ctl", "-D", self._data, "-w", "-l", str(folder / "log")]
        self._control += ["-o", options]

    def make(self) -> None:
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "test", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        self._run(*self._control, "start")

    def stop(self) -> None:
        """Stop it as a crash would."""
        self._run(*self._control, "-m", "immediate", "stop")

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement)

    def new_schema(self) -> None:
        self._schemas += 1
        self.execute(f"CREATE SCHEMA s{self._schemas}")
        self.url = f"{self.server}&options=-csearch_path%3Ds{self._schemas}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            command = [*who, *command]
        subprocess.run(command, check=True, capture_output=True, cwd="/tmp")


@pytest.fixture(scope="session")
def postgres_server():
    pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL's initdb is not in /usr/lib/postgresql/*/bin")
    folder = Path(tempfile.mkdtemp(prefix="swarm-postgres-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = PostgresServer(found[-1].parent, folder)
    server.make()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def postgres(postgres_server):
    postgres_server.new_schema()
    return postgres_server
