"""ExportedPrograms are read, but never one that could run code."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from colours import colours_network
from model_files import write_exported

from edgekd.errors import InputError
from edgekd.models.foreign.exported_programs import ExportedNetwork, is_arithmetic, refuse_code

Change = Callable[[dict[str, bytes]], None]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exported(tmp_path_factory.mktemp("exported") / "a.pt2")


def test_it_gives_what_the_network_gives(exported: Path) -> None:
    network, images = ExportedNetwork(exported), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(images), colours_network()(images))
    assert copy.deepcopy(network)(images).equal(network(images))
    assert (network.shape.side, network.shape.batch) == (32, None)


class Coded:
    """Leaves a file when its pickle is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


def spoilt(source: Path, target: Path, change: Change) -> Path:
    """The file with its members changed."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def edit_program(change: Callable[[dict[str, Any]], None]) -> Change:
    def edit(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith("models/model.json"))
        program = json.loads(members[name])
        change(program)
        members[name] = json.dumps(program).encode()

    return edit


def with_code(folder: Path) -> Change:
    buffer = io.BytesIO()
    torch.save((Coded(folder / "trace"),), buffer)

    def add(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith("sample_inputs/model.pt"))
        members[name] = buffer.getvalue()

    return add


def test_an_unspoilt_copy_is_read(exported: Path, tmp_path: Path) -> None:
    refuse_code(spoilt(exported, tmp_path / "b.pt2", lambda members: None))


def test_inputs_with_code_are_refused_and_not_run(exported: Path, tmp_path: Path) -> None:
    file = spoilt(exported, tmp_path / "b.pt2", with_code(tmp_path))
    with pytest.raises(InputError, match=r"an object \(data/sample_inputs/model.pt\)"):
        ExportedNetwork(file)
    assert not (tmp_path / "trace").exists()


def plant_expression(program: dict[str, Any]) -> None:
    code = "__import__('pathlib').Path('trace').touch()"
    program["graph_module"]["graph"]["sym_int_values"]["s9"] = {
        "as_expr": {"expr_str": code, "hint": None}
    }


@pytest.mark.parametrize(
    "text", ["exec(s0)", "s0.__class__", "Symbol('exec')", "lambdify(s0)", "'s0'.format", 's0 "x"']
)
def test_expressions_that_are_no_arithmetic(text: str) -> None:
    assert not is_arithmetic(text)
    assert is_arithmetic("Max(1, 2*s34 - 1) + FloorDiv(Symbol('s0', positive=True), Integer(3))")


def plant_operator(program: dict[str, Any]) -> None:
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"


def plant_called_operator(program: dict[str, Any]) -> None:
    program["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"] = {"as_operator": "torch.load"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit_program(plant_expression), "the expression"),
        (edit_program(plant_operator), r"the operator 'torch\.hub\.load'"),
        (edit_program(plant_called_operator), r"the operator 'torch\.load'"),
        (lambda m: m.update({"b/data/aotinductor/model/a.so": b"x"}), "compiled code"),
        (lambda m: m.update({"b/data/constants/opaque_obj_0": b"x"}), "an object"),
    ],
    ids=["expression", "operator", "called", "compiled", "constant"],
)
def test_programs_with_code_are_refused(
    exported: Path, tmp_path: Path, change: Change, words: str
) -> None:
    file = spoilt(exported, tmp_path / "b.pt2", change)
    with pytest.raises(InputError, match=words) as caught:
        ExportedNetwork(file)
    assert "could run code" in caught.value.message


def test_weights_with_code_are_refused(exported: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Coded(tmp_path / "trace"), buffer)

    def change(members: dict[str, bytes]) -> None:
        config = next(name for name in members if name.endswith("weights_config.json"))
        listed = json.loads(members[config])
        entry = next(iter(listed["config"].values()))
        entry["use_pickle"] = True
        members[f"{config.rpartition('/')[0]}/{entry['path_name']}"] = buffer.getvalue()
        members[config] = json.dumps(listed).encode()

    with pytest.raises(InputError, match="an object"):
        ExportedNetwork(spoilt(exported, tmp_path / "b.pt2", change))
    assert not (tmp_path / "trace").exists()


def test_other_archives_and_damaged_ones(exported: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.pt2"
    torch.save({"a": torch.ones(1)}, file)
    with pytest.raises(InputError, match="another format, or of an old PyTorch"):
        ExportedNetwork(file)
    file.write_bytes(exported.read_bytes()[:-200])
    with pytest.raises(InputError) as caught:
        ExportedNetwork(file)
    assert "copy it again" in caught.value.hint
