"""The sources of the runtime for Android, as far as they are tied to Python's."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parents[2]
RUNTIME = REPOSITORY / "targets" / "android" / "runtime"
POM = "{http://maven.apache.org/POM/4.0.0}"


def test_modules_are_those_of_the_folder() -> None:
    pom = ElementTree.parse(RUNTIME / "pom.xml")
    modules = {(RUNTIME / (module.text or "")).resolve() for module in pom.iter(f"{POM}module")}
    assert modules == {file.parent for file in RUNTIME.parent.glob("*/**/pom.xml")} - {RUNTIME}


def test_core_has_no_class_of_android() -> None:
    for file in (RUNTIME / "core").rglob("*.kt"):
        assert not re.search(r"^import android", file.read_text(), re.MULTILINE), file
