"""Pictures of pages by headless Chromium, which gets nothing but the page."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from langchain_kimi.visual_code.site import ADDRESS, serving

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SWITCHES = (
    "--headless",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--proxy-bypass-list=<-loopback>",
)
_SETTLE_MS = 1_000
_ROOM = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
"""Browsers at a time; each takes some 200 MB, and others wait."""
_MOST_SAID = 300


class BrowserError(RuntimeError):
    """There is no browser, or it made no picture of the page."""


@dataclass(frozen=True, kw_only=True)
class Browser:
    """Renders pages.

    A page reaches no network and no file: its only way out is a proxy of ours, which serves it
    and refuses all else. Its scripts run until the deadline. Chromium's own sandbox is on, except
    for root, whom Chromium refuses it. As many run at a time as there are cores.

    Attributes:
        path: Chromium; by default the one on the PATH (Debian's package `chromium`).
        timeout: Seconds for one picture.
    """

    path: str | None = None
    timeout: float = 30.0

    def picture(self, html: str, width: int, height: int) -> bytes:
        """Return a PNG of a page in a window of this size.

        Args:
            html: The page's source.
            width: Pixels.
            height: Pixels.

        Raises:
            BrowserError: There is no Chromium, the page does not come to rest before the
                deadline, or Chromium failed.
        """
        with (
            _ROOM,
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
            serving(html) as site,
        ):
            target = Path(home, "page.png")
            command = [
                self._found(),
                *_SWITCHES,
                *(("--no-sandbox",) if os.geteuid() == 0 else ()),
                f"--proxy-server=http://127.0.0.1:{site.port}",
                f"--user-data-dir={home}/profile",
                f"--window-size={width},{height}",
                f"--virtual-time-budget={_SETTLE_MS}",
                f"--screenshot={target}",
                ADDRESS,
            ]
            said = self._run(command, home)
            if not target.is_file():
                msg = f"Chromium made no picture of the page: {said[-_MOST_SAID:].strip()}"
                raise BrowserError(msg)
            return target.read_bytes()

    def _found(self) -> str:
        found = self.path or next(filter(None, map(shutil.which, _NAMES)), None)
        if found is None:
            msg = (
                "there is no Chromium on the PATH: install it (Debian: apt-get install chromium), "
                "or give its path: Browser(path=...)"
            )
            raise BrowserError(msg)
        return found

    def _run(self, command: list[str], home: str) -> str:
        """Run Chromium in a session of its own, so that all its processes can be ended."""
        environment = {"HOME": home, "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
        try:
            process = subprocess.Popen(  # noqa: S603  Chromium, with switches of ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=environment,
                text=True,
            )
        except OSError as error:
            msg = f"{command[0]} cannot be run: {error.strerror}"
            raise BrowserError(msg) from error
        try:
            return process.communicate(timeout=self.timeout)[1]
        except subprocess.TimeoutExpired as error:
            msg = (
                f"the page did not come to rest within {self.timeout:g} s; a script that never "
                "ends does that"
            )
            raise BrowserError(msg) from error
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End all processes of the session; they may be gone already."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.communicate()
