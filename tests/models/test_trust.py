from __future__ import annotations

import os

import pytest

from edgekd.errors import InputError
from edgekd.models.trust import TRUSTED, refuse_untrusted, trust


def test_a_package_is_trusted_with_its_modules_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED, "mine, theirs.models ,")
    for place in ("mine:Net", "mine.inner:Net", "theirs.models:Net"):
        refuse_untrusted(place)
    for place in ("theirs:Net", "mines:Net", "os:system", ":Net"):
        with pytest.raises(InputError, match="is code") as caught:
            refuse_untrusted(place)
        assert TRUSTED in caught.value.hint


def test_trust_is_added_to_what_processes_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUSTED, raising=False)
    for place in ("a.b:Net", "c:Net", "a.b:Other"):
        trust(place)
    assert os.environ[TRUSTED] == "a.b,c"
    refuse_untrusted("a.b:Net")
