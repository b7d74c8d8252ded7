from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from colours import write_package

from edgekd.errors import EdgekdError, InputError, MissingDependencyError
from edgekd.models import create_network
from edgekd.models.libraries.user_classes import create
from edgekd.models.trust import TRUSTED

NAME = "classes_of_users"


@pytest.fixture(autouse=True)
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    write_package(tmp_path, NAME)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(TRUSTED, f"{NAME},no_such_module")
    yield
    sys.modules.pop(NAME, None)


def test_the_constructor_is_given_the_number_of_classes_and_the_options() -> None:
    network = create_network(f"{NAME}:Colours", 6, {"softmax": True})
    assert network.fc.out_features == 6
    assert network.softmax is True
    assert create(f"{NAME}:Colours", 6, {"classes": 3}).fc.out_features == 3


def test_nothing_is_imported_without_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUSTED)
    with pytest.raises(InputError, match="is code"):
        create(f"{NAME}:Colours", 3, {})
    assert NAME not in sys.modules


@pytest.mark.parametrize(
    ("place", "kind", "words"),
    [
        (f"{NAME}:Nothing", InputError, "no class of networks"),
        (f"{NAME}:NoNetwork", InputError, "no class of networks"),
        (f"{NAME}:bad", InputError, "no class of networks"),
        ("no_such_module:Net", MissingDependencyError, "does not import"),
    ],
)
def test_what_is_no_network(place: str, kind: type[EdgekdError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        create(place, 3, {})
    assert caught.value.hint


def test_a_module_that_fails(tmp_path: Path) -> None:
    (tmp_path / NAME / "broken.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        create(f"{NAME}.broken:Net", 3, {})
