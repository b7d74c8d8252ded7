"""A registry knows edgekd's own extensions and those of entry points, and says whose a fault is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.extensions.registry import Registry

FRUIT = Registry(
    "fruit", "edgekd.fruit", {"apple": "collections:OrderedDict", "pear": "collections"}
)


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with four more, two of which do not load."""
    about = tmp_path / "orchard-3.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: orchard\nVersion: 3.1\n")
    (about / "entry_points.txt").write_text(
        "[edgekd.fruit]\n"
        "quince = orchard_of_tests:QUINCE\n"
        "apple = orchard_of_tests:QUINCE\n"
        "rotten = orchard_of_tests:MISSING\n"
        "absent = no_such_orchard:ANY\n"
    )
    (tmp_path / "orchard_of_tests.py").write_text("QUINCE = 4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "orchard_of_tests", raising=False)


def test_own_are_loaded_by_place() -> None:
    from collections import OrderedDict

    assert FRUIT.names() == ["apple", "pear"]
    assert FRUIT.load("apple") is OrderedDict
    assert FRUIT.load("pear") is sys.modules["collections"]
    assert FRUIT.owner("apple") == ""
    assert FRUIT.module("apple") == "collections"


def test_path_is_what_a_name_stands_for(tmp_path: Path) -> None:
    assert Registry("file", "edgekd.none", {"here": tmp_path}).load("here") == tmp_path


def test_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(InputError, match="there is no fruit 'aple'") as caught:
        FRUIT.load("aple")
    assert caught.value.hint == "did you mean 'apple'? known: apple, pear"


@pytest.mark.usefixtures("foreign")
def test_third_partys_come_after_and_replace_none() -> None:
    assert FRUIT.names() == ["apple", "pear", "quince", "rotten", "absent"]
    assert FRUIT.load("quince", lambda loaded: loaded == 4) == 4
    assert FRUIT.load("apple") != 4
    assert FRUIT.owners() == dict.fromkeys(("quince", "rotten", "absent"), "orchard 3.1")


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("rotten", ArtefactError, "the fruit rotten of orchard 3.1 cannot be loaded: Attribute"),
        ("absent", MissingDependencyError, "the fruit absent of orchard 3.1 does not import: No"),
        ("quince", ArtefactError, "the fruit quince of orchard 3.1 is a int, which it cannot be"),
    ],
)
def test_faults_name_the_distribution(name: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        FRUIT.load(name, lambda loaded: isinstance(loaded, str))


@pytest.mark.usefixtures("foreign")
def test_part_of_an_extension_is_reported_with_its_name() -> None:
    with pytest.raises(ArtefactError, match=r"stone of the fruit quince of orchard 3\.1 cannot"):
        FRUIT.load_part("quince", "stone", "orchard_of_tests:STONE")
    assert FRUIT.load_part("apple", "stone", "math:pi") == pytest.approx(3.14159, abs=1e-5)
