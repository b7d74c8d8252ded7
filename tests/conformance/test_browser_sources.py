"""The sources of the runtime for browsers, as far as they are tied to Python's."""

from __future__ import annotations

import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BROWSER = REPOSITORY / "targets" / "browser"
SOURCES = BROWSER / "runtime" / "src"


def test_the_lock_file_has_hashes_and_no_addresses() -> None:
    packages = json.loads((BROWSER / "package-lock.json").read_text())["packages"]
    fetched = {name: each for name, each in packages.items() if name.startswith("node_modules/")}
    assert len(fetched) > 50
    for name, each in fetched.items():
        assert "resolved" not in each or each.get("link"), name
        assert each.get("link") or each["integrity"].startswith("sha512-"), name


def test_versions_of_the_engines_are_pinned_and_told() -> None:
    pinned = json.loads((BROWSER / "package.json").read_text())["devDependencies"]
    litert = (SOURCES / "engine" / "litert.ts").read_text()
    assert f"VERSION = '{pinned['@litertjs/core']}'" in litert
    needed = json.loads((BROWSER / "runtime" / "package.json").read_text())["peerDependencies"]
    assert needed == {name: pinned[name] for name in needed}
