"""Headless Chromium, spoken to over a pipe: what a reader's browser makes of the page."""

from __future__ import annotations

import argparse
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")

_FLAGS = (
    "--headless",
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


# Of each picture that is shown: its name, its strokes, and whether all lies inside of it.
PICTURES = """
[...document.querySelectorAll('svg')].filter(svg => svg.clientWidth > 0).map(svg => {
  const view = svg.viewBox.baseVal;
  const inside = shape => {
    const box = shape.getBBox();
    return box.x >= -1 && box.y >= -1 && box.x + box.width <= view.width + 1
      && box.y + box.height <= view.height + 1;
  };
  const data = [...svg.querySelectorAll('path:not(.grid):not(.ink), rect, circle')];
  const paths = data.filter(shape => shape.tagName === 'path' && shape.getTotalLength() > 1);
  return {
    name: svg.getAttribute('aria-label').split('.')[0],
    data: paths.length + data.filter(shape => shape.tagName === 'rect').length,
    outside: [...svg.querySelectorAll('path, rect, circle, text:not([transform])')]
      .filter(shape => !inside(shape))
      .map(shape => shape.outerHTML),
  };
})
"""

# Everything that sticks out of the screen and does not scroll inside a box of its own.
OVERFLOW = """
[...document.body.querySelectorAll('*')].filter(each =>
  !each.closest('.scroll, thead, svg') && each.getBoundingClientRect().right > innerWidth + 1
).map(each => each.outerHTML.slice(0, 120))
"""

# Kinds of text with the contrast to what is behind them.
CONTRASTS = """
(() => {
  const light = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(each => each / 255)
      .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = each => {
    for (let at = each; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const kinds = 'p, .soft, small, .badge, .chip, nav a, h2, td b, th, summary, .limits li';
  const found = new Map();
  for (const each of document.querySelectorAll(kinds)) {
    const pair = [light(getComputedStyle(each).color), light(behind(each))].sort((a, b) => b - a);
    const name = each.tagName + '.' + each.className + ' ' + behind(each);
    found.set(name, (pair[0] + 0.05) / (pair[1] + 0.05));
  }
  return [...found];
})()
"""


class Chromium:
    """One browser with one tab; DevTools messages are JSON with a zero byte behind each."""

    def __init__(self, folder: Path, *flags: str, patience_s: float = 60.0) -> None:
        self._patience_s = patience_s
        to_it, self._write = os.pipe()
        self._read, from_it = os.pipe()
        # The browser reads file 3 and writes file 4; a shell puts the pipes there.
        places = f'exec "$0" "$@" 3<&{to_it} 4>&{from_it}'
        command = ["bash", "-c", places, str(PROGRAM), *_FLAGS, f"--user-data-dir={folder}", *flags]
        self._process = subprocess.Popen(
            [*command, "about:blank"],
            pass_fds=(to_it, from_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it)
        os.close(from_it)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        self._attach()

    def _attach(self) -> None:
        pages = [
            each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page"
        ]
        found = self.ask("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what happens meanwhile goes to `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + self._patience_s
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "Chromium has ended"
            self._rest += chunk
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, page: Path, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Load a page as a device of that width shows it."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="screen", features=[scheme])
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        self.wait_for("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The JSON value of an expression on the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def requests(self) -> list[str]:
        """Addresses that the page asked for since it was opened."""
        asked = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]

    def screenshot(self, out: Path, *, whole: bool = True) -> None:
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        out.write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        """The page printed."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=False)["data"])

    def close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        self._process.wait(10)


def main() -> None:
    """Take a picture of the top of a page, as a screen of that size shows it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--height", type=int, default=1150)
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    size = {"width": options.width, "height": options.height}
    with tempfile.TemporaryDirectory(prefix="edgekd-chromium-") as folder:
        browser = Chromium(Path(folder))
        browser.open(options.page.resolve(), **size, dark=options.dark)
        browser.screenshot(options.out, whole=False)
        browser.close()


if __name__ == "__main__":
    main()
