from __future__ import annotations

from importlib import metadata

import pytest

from edgekd.dossier.bom.licences import licence_of, licence_of_package

pytest.importorskip("cyclonedx", reason="needs pip install 'edgekd[dossier]'")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("CC BY-NC 4.0", "id", "CC-BY-NC-4.0"),
        ("Apache-2.0", "id", "Apache-2.0"),
        ("MIT License", "id", "MIT"),
        ("Apache-2.0 OR MIT", "value", "Apache-2.0 OR MIT"),
        ("rules of the competition", "name", "rules of the competition"),
        ("x" * 500, "name", "x" * 120),
    ],
)
def test_spdx_where_it_is_recognised(text: str, kind: str, value: str) -> None:
    assert getattr(licence_of(text), kind) == value


@pytest.mark.parametrize("text", ["", " ", "unknown"])
def test_none(text: str) -> None:
    assert licence_of(text) is None


def test_a_package_s_own_in_that_very_version() -> None:
    version = metadata.version("msgspec")
    licence = licence_of_package("msgspec", version)
    assert getattr(licence, "id", None) == "BSD-3-Clause"
    assert licence_of_package("msgspec", f"{version}.1") is None
    assert licence_of_package("no-such-package", "1") is None
