"""The sources of the runtime for Android, as far as they are tied to Python's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.extensions.backends import BACKENDS
from edgekd.runtime.preprocess import RULE
from edgekd.schemas import published

REPOSITORY = Path(__file__).resolve().parents[2]
RUNTIME = REPOSITORY / "targets" / "android" / "runtime"
KOTLIN = RUNTIME / "core" / "src" / "main" / "kotlin" / "edgekd"
POM = "{http://maven.apache.org/POM/4.0.0}"


def test_the_schema_of_the_manifest_is_the_published_one() -> None:
    """`cp edgekd/schemas/manifest.schema.json` there, after a key changed."""
    copy = RUNTIME / "core" / "src" / "main" / "resources" / "edgekd" / "manifest.schema.json"
    assert copy.read_bytes() == published("manifest").read_bytes()


def test_names_that_both_sides_have() -> None:
    manifest = (KOTLIN / "bundle" / "Manifest.kt").read_text()
    assert f'FORMAT_VERSION = "{FORMAT_VERSION}"' in manifest
    assert f'RULE = "{RULE}"' in manifest
    known = re.search(r"KNOWN_BACKENDS = setOf\((.*)\)", (KOTLIN / "Edgekd.kt").read_text())
    assert known is not None
    assert set(re.findall(r'"(\w+)"', known[1])) == set(BACKENDS.built_in)


def test_modules_are_those_of_the_folder() -> None:
    pom = ElementTree.parse(RUNTIME / "pom.xml")
    modules = {(RUNTIME / (module.text or "")).resolve() for module in pom.iter(f"{POM}module")}
    assert modules == {file.parent for file in RUNTIME.parent.glob("*/**/pom.xml")} - {RUNTIME}


def test_core_has_no_class_of_android() -> None:
    for file in (RUNTIME / "core").rglob("*.kt"):
        assert not re.search(r"^import android", file.read_text(), re.MULTILINE), file


def test_it_is_skipped_in_words_where_there_is_no_java(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "sed"):
        place = subprocess.run(["which", tool], capture_output=True, text=True, check=True)
        (tmp_path / tool).symlink_to(place.stdout.strip())
    script = REPOSITORY / ".ci" / "android"
    done = subprocess.run(
        [tmp_path / "bash", script, tmp_path],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "there is no JDK 17" in done.stdout
