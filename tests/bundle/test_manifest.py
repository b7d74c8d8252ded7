from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from manifests import make_manifest

from edgekd.bundle import (
    Certificate,
    FileEntry,
    FloorRecord,
    GateRecord,
    Lowering,
    Manifest,
    ModelInfo,
    PolicyRecord,
    Rung,
)
from edgekd.bundle.manifest import FORMAT_VERSION, decode_manifest, encode_manifest
from edgekd.errors import ArtefactError
from edgekd.tasks.classification.manifest import Decision

FILES = {"model.onnx": FileEntry(sha256="0" * 64, size=3)}


@pytest.fixture
def manifest() -> Manifest:
    gate = GateRecord(
        passed=False,
        reasons=("7.0% of the decisions flip, more than 5.0%",),
        images=100,
        max_logit_difference=0.5,
        flips=0.07,
        balanced_accuracy=0.7,
        balanced_accuracy_drop=0.01,
        limits={"max_flips": 0.05},
        runtime={"engine": "onnxruntime 1.31", "threads": None},
    )
    rung = Rung(precision="int8", chosen=False, size_bytes=10, gate=gate)
    lowering = Lowering(target="cpu", backend="onnx", precision="fp32", rungs=(rung,))
    decision = Decision(temperature=1.5, thresholds={"mel": 0.3}, refer_below=0.4)
    return make_manifest(files=FILES, lowering=lowering, decision=decision)


def changed(manifest: Manifest, *path: str, value: Any) -> bytes:
    raw = json.loads(encode_manifest(manifest))
    section = raw
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return json.dumps(raw).encode()


def refusal(raw: bytes) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        decode_manifest(raw)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def test_round_trip(manifest: Manifest) -> None:
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_bytes_are_readable_and_the_same_every_time(manifest: Manifest) -> None:
    raw = encode_manifest(manifest)
    assert raw == encode_manifest(decode_manifest(raw))
    assert raw.startswith(b'{\n  "format_version": "%s"' % FORMAT_VERSION.encode())
    assert raw.endswith(b"}\n")


def test_newer_minor_version_with_a_new_field_is_read(manifest: Manifest) -> None:
    newer = changed(manifest, "format_version", value="1.9").replace(b'"task"', b'"hue": 1, "task"')
    assert decode_manifest(newer).task == "classification"


def test_check_of_the_engine(manifest: Manifest) -> None:
    check = {"status": "passed", "by": "a tool 1.2", "capabilities": ["SM86", "SM89"]}
    found = decode_manifest(changed(manifest, "lowering", "check", value=check)).lowering.check
    assert found is not None
    assert found.summary == "passed by a tool 1.2 for SM86, SM89"
    for status, summary in (("refused", "refused by a tool 1.2"), ("not checked", "not checked: ")):
        other = msgspec.structs.replace(found, status=status, capabilities=())
        assert other.summary.startswith(summary)
    refusal(changed(manifest, "lowering", "check", value=check | {"status": "perhaps"}))
    older = json.loads(encode_manifest(manifest))
    del older["lowering"]["check"]
    older["format_version"] = "1.2"
    assert decode_manifest(json.dumps(older).encode()).lowering.check is None


@pytest.mark.parametrize("version", ["1.0", "1.3", "1.5", "1.6"])
def test_fields_are_read_by_the_names_of_earlier_formats(manifest: Manifest, version: str) -> None:
    older = json.loads(encode_manifest(manifest))
    older["format_version"] = version
    lowering = older["lowering"]
    del lowering["layer_sensitivity"], lowering["quantisation_aware"]
    lowering["layer_harm"] = [{"layer": "stem", "divergence": 0.2, "flips": 3}]
    lowering["rescued"] = True
    (rung,) = lowering["rungs"]
    rung["taken"], rung["remarks"] = not rung.pop("chosen"), ["slower"]
    del rung["notes"]
    older["capture"] = {"limits": {}, "kept": 0.98, "images": 100}
    read = decode_manifest(json.dumps(older).encode())
    assert read.lowering.layer_sensitivity[0].layer == "stem"
    assert read.lowering.quantisation_aware
    assert (read.lowering.rungs[0].chosen, read.lowering.rungs[0].notes) == (True, ("slower",))
    assert read.capture is not None
    assert read.capture.coverage == 0.98
    assert b"layer_harm" not in encode_manifest(read)


@pytest.mark.parametrize("version", ["2.0", "0.9", "11.0"])
def test_other_major_version_is_refused_before_its_fields(version: str) -> None:
    error = refusal(json.dumps({"format_version": version, "model": "of another shape"}).encode())
    assert version in error.message
    assert FORMAT_VERSION in error.message


@pytest.mark.parametrize("version", [None, "", "x.1", [], {}, True, "9" * 5000])
def test_version_that_is_no_version(manifest: Manifest, version: Any) -> None:
    refusal(changed(manifest, "format_version", value=version))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b"{}", b'"1.0"', b"\xff\xfe", b"PK\x03\x04", b'{"a": "\xff"}'],
)
def test_what_is_no_manifest(raw: bytes) -> None:
    assert "not readable JSON" in refusal(raw).message


@pytest.mark.parametrize(("value", "refused"), [(10**308, False), (-(10**400), True)])
def test_whole_number_beyond_binary64(manifest: Manifest, value: int, refused: bool) -> None:
    raw = changed(manifest, "metrics", value={"a": [{"b": value}]})
    if refused:
        assert "is not readable JSON" in refusal(raw).message
    else:
        assert decode_manifest(raw).metrics


def test_nesting_that_exhausts_the_decoder_is_refused() -> None:
    depth = 100_000
    refusal(b'{"format_version": "1.0", "metrics": ' + b"[" * depth + b"]" * depth + b"}")


@pytest.mark.parametrize(
    "field",
    ["version", "task", "model", "decision", "lowering", "metrics", "lineage", "model_file"],
)
def test_missing_field_is_named(manifest: Manifest, field: str) -> None:
    raw = json.loads(encode_manifest(manifest))
    del raw[field]
    assert f"`{field}`" in refusal(json.dumps(raw).encode()).message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model", "image_size"), "large"),
        (("model", "classes"), "mel"),
        (("decision", "temperature"), None),
        (("lowering", "rungs"), {}),
        (("files",), []),
        (("files", "model.onnx", "size"), "3"),
    ],
)
def test_wrong_type_is_placed(manifest: Manifest, path: tuple[str, ...], value: Any) -> None:
    assert path[0] in refusal(changed(manifest, *path, value=value)).message


LOPSIDED = {"mean": [0.0, 0.0], "whitening": [[1.0, 0.0]], "limit": 1.0}


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("model", "classes"), ["mel"], "two or more different names"),
        (("model", "classes"), ["mel", "nv", "mel"], "different names"),
        (("model", "classes"), [], "different names"),
        (("model", "image_size"), 7, "image_size"),
        (("model", "image_size"), 4097, "image_size"),
        (("decision", "temperature"), 0.0, "temperature"),
        (("decision", "temperature"), -1.0, "temperature"),
        (("decision", "temperature"), 1e4, "temperature"),
        (("decision", "thresholds"), {"mole": 0.3, "mel": 0.1}, "threshold of 'mole' must be"),
        (("decision", "thresholds"), {"mel": 1.01}, "threshold of 'mel' must be"),
        (("decision", "thresholds"), {"mel": -0.01}, "threshold of 'mel' must be"),
        (("decision", "temperature"), 1e-4, "temperature"),
        (("decision", "refer_below"), 5.0, "refer_below"),
        (("decision", "conformal_quantile"), -5.0, "conformal_quantile"),
        (("model", "colour"), "BGR", "colour"),
        (("model", "classes"), ["mel", "n\x1bv"], "printable"),
        (("model", "classes"), ["mel", ""], "printable"),
        (("capture",), {"limits": {}, "appearance": LOPSIDED}, "square whitening"),
        (("model_file",), "other.onnx", "'other.onnx' is not among its files"),
    ],
)
def test_contradiction_is_told(
    manifest: Manifest, path: tuple[str, ...], value: Any, told: str
) -> None:
    error = refusal(changed(manifest, *path, value=value))
    assert "contradicts itself" in error.message
    assert told in error.message


def test_long_values_do_not_swell_the_message(manifest: Manifest) -> None:
    long = "9" * 5000
    for path in (("model_file",), ("format_version",)):
        assert len(refusal(changed(manifest, *path, value=f"2.{long}")).message) < 300


def test_all_contradictions_are_told_at_once() -> None:
    model = ModelInfo(name="tiny", classes=("mel",), image_size=1)
    message = refusal(encode_manifest(make_manifest(model=model))).message
    assert all(word in message for word in ("classes", "image_size", "model_file"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
PATHS = [
    ("model",), ("model", "classes"), ("model", "image_size"), ("decision", "thresholds"),
    ("lowering", "calibration"), ("metrics",), ("files",), ("files", "model.onnx"), ("licences",),
]  # fmt: skip


@fuzz(100)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_json_in_any_field_is_read_or_refused(path: tuple[str, ...], value: Any) -> None:
    raw = changed(make_manifest(files=FILES), *path, value=value)
    try:
        manifest = decode_manifest(raw)
    except ArtefactError:
        return
    assert decode_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize("certified", [True, False])
def test_a_certificate_is_kept_and_a_missing_one_is_a_warning(
    manifest: Manifest, certified: bool
) -> None:
    reason = None if certified else "model.onnx is another file"
    certificate = Certificate(student="tiny", certified=certified, reason=reason)
    manifest = msgspec.structs.replace(manifest, certificate=certificate)
    again = decode_manifest(encode_manifest(manifest))
    assert again.certificate == certificate
    warning = "for research, not certified: model.onnx is another file"
    assert again.warnings == (() if certified else (warning,))


def test_warnings_are_those_of_certificate_and_policy(manifest: Manifest) -> None:
    assert manifest.warnings == ()
    floor = FloorRecord(
        code="answered", quantity="answers", value=0.1, least=0.5, by="low", met=False
    )
    policy = PolicyRecord(name="mine", sha256="", research=True, floors=(floor,))
    certificate = Certificate(student="tiny", certified=False, reason="r")
    marked = msgspec.structs.replace(manifest, policy=policy, certificate=certificate)
    assert [text.split(":")[0] for text in marked.warnings] == [
        "for research, not certified",
        "for research, floor not met",
    ]
