from __future__ import annotations

from importlib import metadata

import msgspec
import pytest
from manifests_of_bom import whole_manifest

from edgekd.dossier.bom import components

pytest.importorskip("cyclonedx", reason="needs pip install 'edgekd[dossier]'")


def test_the_model_is_its_file() -> None:
    model = components.model(whole_manifest(), "ab" * 32)
    assert (model.name, model.version) == ("tiny cpu fp32", "ab" * 6)
    assert [each.content for each in model.hashes] == ["1" * 64]
    assert [each.name for each in model.licenses] == ["start: package; else as the data"]


def test_the_data_set_has_its_licence() -> None:
    data = components.data_set(whole_manifest())
    assert data.name == "HAM10000"
    assert [each.id for each in data.licenses] == ["CC-BY-NC-4.0"]
    assert components.data_set(whole_manifest(data_source="", licences={})).name == "data set"


def test_what_lowered_it_is_not_needed_to_run_it() -> None:
    tools = {each.name: each for each in components.lowering_tools(whole_manifest())}
    assert {name: each.version for name, each in tools.items()} == {
        "edgekd": "0.1.0", "onnx": "1.0.0", "numpy": "2.0.0",
    }  # fmt: skip
    assert {each.scope.value for each in tools.values()} == {"excluded"}
    assert str(tools["onnx"].purl) == "pkg:pypi/onnx@1.0.0"


def test_what_runs_it_is_edgekd_and_its_engine() -> None:
    manifest = whole_manifest()
    needed = {each.name: each for each in components.runtime(manifest, installed=False)}
    assert {"edgekd", "numpy", "onnxruntime"} <= set(needed)
    assert not {"torch", "openvino", "jinja2"} & set(needed)
    assert {each.version for each in needed.values()} == {None}  # the device's are not known
    requirements = {p.name: p.value for p in needed["onnxruntime"].properties}
    assert requirements["edgekd:requirement"].startswith("onnxruntime>=")


def test_versions_of_the_device_that_this_is() -> None:
    here = {each.name: each for each in components.runtime(whole_manifest(), installed=True)}
    assert here["numpy"].version == metadata.version("numpy")
    assert {each.scope.value for name, each in here.items() if name != "tomli"} == {"required"}


def test_the_engine_of_a_third_party_that_is_not_installed() -> None:
    plain = whole_manifest()
    lowering = msgspec.structs.replace(plain.lowering, backend="theirs")
    names = {
        each.name for each in components.runtime(whole_manifest(lowering=lowering), installed=False)
    }
    assert "edgekd" in names
    assert "onnxruntime" not in names
