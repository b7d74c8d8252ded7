"""axe-core in a page that Chromium shows: violations of accessibility rules."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from chromium import Chromium

__all__ = ["serious_violations"]

_RUN = """
axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(each => ['serious', 'critical'].includes(each.impact))
  .map(each => [each.id, each.nodes.slice(0, 5).map(node => node.html.slice(0, 200))]))
"""


def serious_violations(browser: Chromium) -> list[Any]:
    """Serious and critical violations on the open page: the rule, and where.

    axe-core (MPL 2.0) is the copy in the package axe-core-python of `edgekd[dev]`.
    """
    source = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    browser.evaluate(f"{source}; null")
    answer = browser.ask("Runtime.evaluate", expression=_RUN, awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in answer, answer
    found: list[Any] = answer["result"]["value"]
    return found
