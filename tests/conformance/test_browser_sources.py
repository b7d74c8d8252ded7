"""The sources of the runtime for browsers, as far as they are tied to Python's."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.extensions.backends import BACKENDS
from edgekd.runtime.preprocess import RULE
from edgekd.schemas import published

REPOSITORY = Path(__file__).resolve().parents[2]
BROWSER = REPOSITORY / "targets" / "browser"
SOURCES = BROWSER / "runtime" / "src"


def test_the_schema_of_the_manifest_is_the_published_one() -> None:
    """`cp edgekd/schemas/manifest.schema.json` there, after a key changed."""
    copy = SOURCES / "bundle" / "manifest.schema.json"
    assert copy.read_bytes() == published("manifest").read_bytes()


def test_names_that_both_sides_have() -> None:
    manifest = (SOURCES / "bundle" / "manifest.ts").read_text()
    assert f"FORMAT_VERSION = '{FORMAT_VERSION}'" in manifest
    assert f"RULE = '{RULE}'" in manifest
    known = re.search(r"KNOWN_BACKENDS = new Set\((.*)\)", (SOURCES / "classifier.ts").read_text())
    assert known is not None
    assert set(re.findall(r"'(\w+)'", known[1])) == set(BACKENDS.built_in)


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


def test_it_is_skipped_in_words_where_there_is_no_node(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "sed"):
        place = subprocess.run(["which", tool], capture_output=True, text=True, check=True)
        (tmp_path / tool).symlink_to(place.stdout.strip())
    done = subprocess.run(
        [tmp_path / "bash", REPOSITORY / ".ci" / "browser", tmp_path],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "there is no Node.js" in done.stdout
