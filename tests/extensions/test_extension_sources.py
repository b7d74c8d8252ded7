"""Names of data sources stand for modules with typed keys and a loader."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from edgekd.errors import ArtefactError
from edgekd.extensions.sources import SOURCES, SourceModule


@pytest.mark.parametrize("name", SOURCES.built_in)
def test_every_source_has_typed_keys_and_loads_for_a_task(name: str) -> None:
    source = SOURCES.load(name)
    assert isinstance(source, SourceModule)
    assert issubclass(source.Config, msgspec.Struct)
    assert list(inspect.signature(source.load).parameters) == ["config", "task"]
    assert "source" not in source.Config.__struct_fields__  # the recipe's own key


def test_an_object_without_keys_or_loader_is_no_source() -> None:
    class Config(msgspec.Struct):
        """Keys of a source."""

    whole = SimpleNamespace(Config=Config, load=lambda config, task: None)
    assert isinstance(whole, SourceModule)
    assert not isinstance(SimpleNamespace(Config=Config), SourceModule)
    assert not isinstance(SimpleNamespace(load=whole.load), SourceModule)


def test_a_third_partys_module_that_is_no_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "darkroom-2.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: darkroom\nVersion: 2.0\n")
    (about / "entry_points.txt").write_text("[edgekd.sources]\nplates = darkroom_of_tests\n")
    (tmp_path / "darkroom_of_tests.py").write_text("class Config: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "darkroom_of_tests", raising=False)
    from edgekd.data.sources import load_source

    with pytest.raises(ArtefactError, match=r"the data source plates of darkroom 2\.0 is a module"):
        load_source("plates")
