"""Chromium on this machine, headless, driven by its DevTools protocol over a pipe.

A fresh profile is used and removed, so that nothing is cached; one tab is driven. The protocol is
https://chromedevtools.github.io/devtools-protocol; over a pipe each message is JSON with a zero
byte behind it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from edgekd.errors import MissingDependencyError

__all__ = ["Chromium", "ChromiumError", "find_chromium", "has_chromium"]

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_VARIABLE = "EDGEKD_CHROMIUM"
_FLAGS = (
    "--headless",
    # Containers and root have no sandbox, and only pages of this machine are opened.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_END_SECONDS = 10.0
_CHUNK = 1 << 20


class ChromiumError(Exception):
    """Chromium ended, did not answer, or a script of the page failed: no fault of the user."""


def find_chromium() -> Path:
    """The program: the one that EDGEKD_CHROMIUM names, else the system's.

    Raises:
        MissingDependencyError: There is none.
    """
    names = (os.environ.get(_VARIABLE), *_PROGRAMS)
    program = next((path for name in names if name and (path := shutil.which(name))), None)
    if program is None:
        raise MissingDependencyError(
            "chromium",
            "",
            "run a page",
            message="there is no Chromium here; it is needed to run a bundle as its page does",
            hint=f"apt install chromium, or name the program by {_VARIABLE}",
        )
    return Path(program)


def has_chromium() -> bool:
    """Whether the program is there."""
    try:
        find_chromium()
    except MissingDependencyError:
        return False
    return True


class Chromium:
    """One browser with one tab.

    Args:
        flags: Further flags of the program.
        patience_s: Seconds to wait for an answer before the browser is taken for dead.

    Raises:
        MissingDependencyError: There is no Chromium.
        ChromiumError: It does not start.
    """

    def __init__(self, *flags: str, patience_s: float = 60.0) -> None:
        program = find_chromium()
        self.events: list[dict[str, Any]] = []
        self._patience_s = patience_s
        self._profile = Path(tempfile.mkdtemp(prefix="edgekd-chromium-"))
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self._start([str(program), *_FLAGS, f"--user-data-dir={self._profile}", *flags])
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def version(self) -> str:
        """Name and version, such as `Chrome/156.0.8078.108`."""
        product: str = self.ask_browser("Browser.getVersion")["product"]
        return product.removeprefix("Headless")

    def ask(self, method: str, *, patience_s: float | None = None, **params: Any) -> dict[str, Any]:
        """Send a command to the tab and wait for its answer; events meanwhile go to `events`.

        Raises:
            ChromiumError: The browser refuses it, has ended, or does not answer in time.
        """
        return self._ask(method, params, self._session, patience_s)

    def ask_browser(self, method: str, **params: Any) -> dict[str, Any]:
        """The same for a command that is the whole browser's."""
        return self._ask(method, params, None, None)

    def open(self, url: str) -> None:
        """Load a page, until its event `load`."""
        self.events.clear()
        answer = self.ask("Page.navigate", url=url)
        if "errorText" in answer:
            raise ChromiumError(f"{url} cannot be loaded: {answer['errorText']}")
        self.wait_for("Page.loadEventFired")

    def wait_for(self, event: str) -> None:
        """Wait until the tab has reported an event of that name."""
        while not any(each.get("method") == event for each in self.events):
            self.events.append(self._next(self._patience_s))

    def evaluate(self, expression: str, *, patience_s: float | None = None) -> Any:
        """The JSON value of an expression on the page; of a promise, what it resolves to.

        Raises:
            ChromiumError: The script failed; see `ask`.
        """
        answer = self.ask(
            "Runtime.evaluate",
            patience_s=patience_s,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details["text"]
            raise ChromiumError(f"a script of the page failed: {text}")
        return answer["result"].get("value")

    def choose_files(self, selector: str, files: list[Path]) -> None:
        """Choose files in the page's input of that CSS selector, as a person does."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        names = [str(file.resolve()) for file in files]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=names)

    def renderers(self) -> list[int]:
        """Numbers of the processes that run pages: the tab's, and spare ones."""
        return [each["id"] for each in self._processes() if each["type"] == "renderer"]

    def cpu_seconds(self) -> float:
        """CPU seconds of all processes of the browser since it was started."""
        return float(sum(each["cpuTime"] for each in self._processes()))

    def _processes(self) -> list[dict[str, Any]]:
        answer = self.ask_browser("SystemInfo.getProcessInfo")
        processes: list[dict[str, Any]] = answer["processInfo"]
        return processes

    def close(self) -> None:
        """End the browser and remove its profile."""
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Its helpers outlive it by a moment, and one that was killed leaves them behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._remove_profile()

    def _remove_profile(self) -> None:
        """Remove the profile; a helper that is just ending may still have written to it."""
        end = time.monotonic() + _END_SECONDS
        while self._profile.exists() and time.monotonic() < end:
            shutil.rmtree(self._profile, ignore_errors=True)
            if self._profile.exists():
                time.sleep(0.05)

    def _start(self, command: list[str]) -> None:
        to_it, self._write = os.pipe()
        self._read, from_it = os.pipe()
        # The browser reads file 3 and writes file 4; a shell puts the pipes there.
        places = f'exec "$0" "$@" 3<&{to_it} 4>&{from_it}'
        try:
            self._process = subprocess.Popen(
                ["bash", "-c", places, *command, "about:blank"],
                pass_fds=(to_it, from_it),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that its helpers can be ended with it
            )
        finally:
            os.close(to_it)
            os.close(from_it)

    def _attach(self) -> None:
        targets = self.ask_browser("Target.getTargets")["targetInfos"]
        page = next(each for each in targets if each["type"] == "page")
        attached = self.ask_browser(
            "Target.attachToTarget", targetId=page["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")

    def _ask(
        self, method: str, params: dict[str, Any], session: str | None, patience_s: float | None
    ) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        self._send(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(patience_s or self._patience_s)
            if answer.get("id") != number:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise ChromiumError(f"Chromium refuses {method}: {answer['error']['message']}")
            result: dict[str, Any] = answer["result"]
            return result

    def _send(self, message: bytes) -> None:
        try:
            while message:
                message = message[os.write(self._write, message) :]
        except OSError as error:
            raise ChromiumError("Chromium has ended") from error

    def _next(self, patience_s: float) -> dict[str, Any]:
        end = time.monotonic() + patience_s
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise ChromiumError(f"Chromium did not answer within {patience_s:.0f} s")
            chunk = os.read(self._read, _CHUNK)
            if not chunk:
                raise ChromiumError("Chromium has ended")
            self._rest += chunk
        message, self._rest = self._rest.split(b"\0", 1)
        decoded: dict[str, Any] = json.loads(message)
        return decoded
