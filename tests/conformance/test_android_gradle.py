"""Gradle's files beside the poms of targets/android: the same modules, versions, dependencies."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tomllib

ANDROID = Path(__file__).resolve().parents[2] / "targets" / "android"
RUNTIME = ANDROID / "runtime"
POM = "{http://maven.apache.org/POM/4.0.0}"
SETTINGS = (ANDROID / "settings.gradle.kts").read_text(encoding="utf-8")
CATALOGUE = tomllib.loads((ANDROID / "gradle" / "libs.versions.toml").read_text(encoding="utf-8"))

OF_MAVEN_ALONE = {"benchmark", "conformance"}
"""Modules of tests and measurements; an app has no use for them."""
OF_GRADLE_ALONE = {"camerax"}
"""Modules whose libraries are on Google's Maven."""
PLATFORM = {"org.robolectric:android-all", "org.jetbrains.kotlin:kotlin-stdlib"}
"""What Gradle's plugins bring: Android's own classes, and Kotlin's."""
ON_A_PHONE = {
    "org.openpnp:opencv": "org.opencv:opencv",
    "com.microsoft.onnxruntime:onnxruntime": "com.microsoft.onnxruntime:onnxruntime-android",
}
"""Libraries of the host, and which of an app takes their place."""


def pom_of(module: str) -> Path:
    return (ANDROID if module == "app" else RUNTIME) / module


def root() -> ElementTree.Element:
    return ElementTree.parse(RUNTIME / "pom.xml").getroot()


def modules() -> list[str]:
    names = [module.text or "" for module in root().iter(f"{POM}module")]
    return [name.removeprefix("../") for name in names]


def properties() -> dict[str, str]:
    (section,) = root().findall(f"{POM}properties")
    return {entry.tag.removeprefix(POM): entry.text or "" for entry in section}


def dependencies_of(module: str) -> set[str]:
    """Those of the module's main classes, as `group:artifact`, its own modules by their names."""
    found = set()
    (section,) = ElementTree.parse(pom_of(module) / "pom.xml").getroot().findall(
        f"{POM}dependencies"
    )  # fmt: skip
    in_tests = {
        "robolectric",
        "junit-jupiter",
        "junit-vintage-engine",
        "kotlinx-coroutines-test-jvm",
    }
    for entry in section:
        group, artifact = (
            entry.findtext(f"{POM}{name}") or "" for name in ("groupId", "artifactId")
        )
        if entry.findtext(f"{POM}scope") == "test" or artifact in in_tests:
            continue
        found.add(artifact.removeprefix("edgekd-") if group == "edgekd" else f"{group}:{artifact}")
    return found


def gradle_dependencies_of(module: str) -> set[str]:
    text = (pom_of(module) / "build.gradle.kts").read_text(encoding="utf-8")
    (block,) = re.findall(r"^dependencies \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    found = set(re.findall(r'project\(":([\w-]+)"\)', block))
    for alias in re.findall(r"\(libs\.([\w.]+)\)", block):
        found.add(CATALOGUE["libraries"][alias.replace(".", "-")]["module"])
    found |= set(re.findall(r'"([\w.-]+:[\w.-]+):', block))
    return found


def test_modules_are_the_same() -> None:
    included = set(re.findall(r'":([\w-]+)"', SETTINGS))
    assert included - OF_GRADLE_ALONE == set(modules()) - OF_MAVEN_ALONE
    folders = set(re.findall(r'"([\w-]+)"', re.findall(r"listOf\((.*)\)", SETTINGS)[0]))
    assert folders == included - {"app"}
    for name in included:
        assert (pom_of(name) / "build.gradle.kts").is_file()
    for name in OF_GRADLE_ALONE:
        assert not (pom_of(name) / "pom.xml").exists()


@pytest.mark.parametrize("module", sorted(set(modules()) - OF_MAVEN_ALONE))
def test_dependencies_are_the_same(module: str) -> None:
    expected = dependencies_of(module) - PLATFORM
    given = gradle_dependencies_of(module)
    natives = {"com.google.ai.edge.litert:litert", "org.opencv:opencv", "net.java.dev.jna:jna"}
    if module in ("android", "app"):  # they bring the libraries of a phone
        assert expected <= given
        assert given - expected <= natives
    else:
        assert given == expected


def test_versions_are_the_same() -> None:
    ours, maven = CATALOGUE["versions"], properties()
    names = ("kotlin", "coroutines", "serialization", "onnxruntime", "jna", "bouncycastle")
    assert {name: ours[name] for name in names} == {
        name: maven[f"{name}.version"] for name in names
    }
    assert ours["opencv-host"] == maven["opencv.version"]
    # The same OpenCV, without the number of the host's packaging.
    assert ours["opencv"] == maven["opencv.version"].split("-")[0]
    pinned = (ANDROID.parents[1] / "constraints.txt").read_text(encoding="utf-8")
    assert f"ai-edge-litert=={ours['litert']}" in pinned
    assert set(ON_A_PHONE.values()) <= {one["module"] for one in CATALOGUE["libraries"].values()}


def test_the_numbers_of_the_app_are_the_same() -> None:
    pom = (ANDROID / "app" / "pom.xml").read_text(encoding="utf-8")
    gradle = (ANDROID / "app" / "build.gradle.kts").read_text(encoding="utf-8")
    for name in ("minSdk", "targetSdk"):
        (in_pom,) = re.findall(rf"<edgekd\.{name}>(\d+)<", pom)
        assert re.findall(rf"^ *{name} = (\d+)$", gradle, re.MULTILINE) == [in_pom]
    version = root().findtext(f"{POM}version")
    assert f'versionName = "{version}"' in gradle
    for module in modules():
        parent = ElementTree.parse(pom_of(module) / "pom.xml").getroot().find(f"{POM}parent")
        assert parent is not None
        assert parent.findtext(f"{POM}version") == version


def test_bytecode_is_of_one_version() -> None:
    target = properties()["kotlin.compiler.jvmTarget"]
    for file in ANDROID.rglob("build.gradle.kts"):
        text = file.read_text(encoding="utf-8")
        if "dependencies {" in text:
            assert f"JvmTarget.JVM_{target}" in text, file
            assert text.count(f"JavaVersion.VERSION_{target}") == 2, file
