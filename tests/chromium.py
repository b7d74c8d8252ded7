"""Headless Chromium: what a reader's browser makes of a page."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

from edgekd.page import chromium as driver

PROGRAM = driver.find_chromium() if driver.has_chromium() else None


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


class Chromium(driver.Chromium):
    """One browser with one tab, which shows pages as devices of different widths do."""

    def open(self, page: Path, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Load a file as a device of that width shows it."""
        self.load(page.as_uri(), width=width, height=height, dark=dark)

    def load(self, url: str, *, width: int, height: int = 900, dark: bool = False) -> None:
        """The same for an address."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="screen", features=[scheme])
        super().open(url)

    def wait_until(self, condition: str) -> None:
        """Wait until an expression is true on the page."""
        look = f"() => ({condition}) ? done(true) : setTimeout(look, 10)"
        self.evaluate(f"new Promise(done => {{ const look = {look}; look(); }})")

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
    with Chromium() as browser:
        browser.open(options.page.resolve(), **size, dark=options.dark)
        browser.screenshot(options.out, whole=False)


if __name__ == "__main__":
    main()
