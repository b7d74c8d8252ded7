"""The accessibility check notices what it is there for."""

from __future__ import annotations

from pathlib import Path

import chromium
import pytest
from axe import serious_violations

pytestmark = pytest.mark.skipif(
    chromium.PROGRAM is None, reason="there is no Chromium: apt install chromium"
)

GOOD = "<!doctype html><html lang=en><title>t</title><main><h1>t</h1><p>text</p></main></html>"


def test_planted_faults_are_found(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.html", tmp_path / "bad.html"
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("<p>", '<img src="x.png"><p style="color: #ccc">'))
    browser = chromium.Chromium()
    try:
        browser.open(good, width=800)
        assert serious_violations(browser) == []
        browser.open(bad, width=800)
        rules = {rule for rule, _ in serious_violations(browser)}
    finally:
        browser.close()
    assert {"image-alt", "color-contrast"} <= rules
