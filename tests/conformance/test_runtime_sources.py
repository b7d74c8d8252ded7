"""What the runtimes in other languages must have in common with Python's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.extensions.backends import BACKENDS
from edgekd.runtime.preprocess import RULE
from edgekd.schemas import published

REPOSITORY = Path(__file__).resolve().parents[2]


class Sources(NamedTuple):
    """Where a runtime keeps what Python has too, and what its script says where its tools lack."""

    schema: str
    manifest: str
    classifier: str
    script: str
    missing: str


KOTLIN = "targets/android/runtime/core/src/main"
TYPESCRIPT = "targets/browser/runtime/src"
RUNTIMES = {
    "kotlin": Sources(
        schema=f"{KOTLIN}/resources/edgekd/manifest.schema.json",
        manifest=f"{KOTLIN}/kotlin/edgekd/bundle/Manifest.kt",
        classifier=f"{KOTLIN}/kotlin/edgekd/Edgekd.kt",
        script=".ci/android",
        missing="there is no JDK 17",
    ),
    "typescript": Sources(
        schema=f"{TYPESCRIPT}/bundle/manifest.schema.json",
        manifest=f"{TYPESCRIPT}/bundle/manifest.ts",
        classifier=f"{TYPESCRIPT}/classifier.ts",
        script=".ci/browser",
        missing="there is no Node.js",
    ),
}
each_runtime = pytest.mark.parametrize("sources", RUNTIMES.values(), ids=RUNTIMES)


@each_runtime
def test_the_schema_of_the_manifest_is_the_published_one(sources: Sources) -> None:
    """`cp edgekd/schemas/manifest.schema.json` there, after a key changed."""
    assert (REPOSITORY / sources.schema).read_bytes() == published("manifest").read_bytes()


@each_runtime
def test_names_that_both_sides_have(sources: Sources) -> None:
    manifest = (REPOSITORY / sources.manifest).read_text()
    for name, value in {"FORMAT_VERSION": FORMAT_VERSION, "RULE": RULE}.items():
        assert re.search(rf"\b{name} = [\"']{re.escape(value)}[\"']", manifest)
    classifier = (REPOSITORY / sources.classifier).read_text()
    known = re.search(r"KNOWN_BACKENDS = (?:setOf|new Set)\((.*)\)", classifier)
    assert known is not None
    assert set(re.findall(r"[\"'](\w+)[\"']", known[1])) == set(BACKENDS.built_in)


@each_runtime
def test_it_is_skipped_in_words_where_its_tools_lack(sources: Sources, tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "sed"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")
    done = subprocess.run(
        [tmp_path / "bash", REPOSITORY / sources.script, tmp_path],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert sources.missing in done.stdout
