"""Whatever an app hands over: arrays of any kind, file objects that fail, manifests of any content.

The damage here is of hypothesis's making; `test_fuzz.py` starts from whole files.
"""

from __future__ import annotations

import io
import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from abuse.bundles import BACKENDS, FILES, MODELS, how_to_get, installed, manifest_of, parts, zip_of
from abuse.worker import contradictions, judged
from edgekd.bundle import MANIFEST, CaptureRule, Limit, Manifest
from edgekd.bundle.manifest import decode_manifest, encode_manifest
from edgekd.errors import ArtefactError
from edgekd.runtime import Classifier
from edgekd.tasks.classification.manifest import Decision

pytestmark = pytest.mark.skipif(not any(map(installed, BACKENDS)), reason=how_to_get("onnx"))

FIRST = next(filter(installed, BACKENDS), "onnx")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NUMBERS = st.none() | st.floats(0, 1) | st.floats()
SHAPES = arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5)
KINDS = st.sampled_from(
    ["u1", "i1", ">u2", "i8", "f2", "f4", ">f8", "c8", "?", "S3", "U2", "M8[s]"]
)


def outcome(classifier: Classifier, source: Any) -> str:
    """`answer` and so on, or the error's class; anything else is a failure."""
    found, failure = judged(lambda: classifier.predict(source))
    assert failure == ""
    return found


@fuzz(300)
@given(st.data(), SHAPES, KINDS)
def test_arrays_of_any_shape_and_kind(
    classifier: Classifier, data: st.DataObject, shape: tuple[int, ...], kind: str
) -> None:
    array = np.zeros(shape, kind) if 0 in shape else data.draw(arrays.arrays(kind, shape))
    right = kind == "u1" and array.ndim == 3 and shape[-1] == 3 and 0 not in shape
    assert (outcome(classifier, array) != "ImageError") == right


@fuzz(100)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(-3, 3), st.integers(-3, 3), st.booleans()
)
def test_arrays_that_lie_anyhow_in_memory(
    classifier: Classifier, height: int, width: int, down: int, across: int, fixed: bool
) -> None:
    """Mirrored, strided, read-only and column-major arrays give what a plain copy gives."""
    whole = np.random.default_rng(height).integers(0, 256, (4 * height, 4 * width, 3), np.uint8)
    image = whole[:: down or 1, :: across or 1]
    image = np.asfortranarray(image) if fixed else image
    image.flags.writeable = not fixed
    plain = np.ascontiguousarray(image).copy()
    assert classifier.predict(image).logits == classifier.predict(plain).logits


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 3), (1, 5000, 3), (5000, 1, 3), (2, 3, 3), (3000, 2, 3), (64, 64, 3)],
)
@pytest.mark.parametrize("value", [0, 255])
def test_thin_and_flat_images(classifier: Classifier, shape: Any, value: int) -> None:
    assert outcome(classifier, np.full(shape, value, np.uint8)) in ("answer", "refer", "retake")


class Failing(io.RawIOBase):
    """A file whose `read` does what the list says, call by call."""

    def __init__(self, acts: list[Any]) -> None:
        self.acts = list(acts)

    def read(self, size: int = -1, /) -> Any:
        act = self.acts.pop(0) if self.acts else b""
        if isinstance(act, type):
            raise act("no\nsuch luck")
        return act


@fuzz(150)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.sampled_from(
            [
                OSError,
                ValueError,
                RuntimeError,
                TimeoutError,
                UnicodeError,
                MemoryError,
                "text",
                None,
                7,
            ]
        ),
        max_size=4,
    )
)
def test_file_objects_that_fail(classifier: Classifier, acts: list[Any]) -> None:
    assert outcome(classifier, Failing(acts)) == "ImageError"


def test_interrupts_are_not_swallowed(classifier: Classifier) -> None:
    with pytest.raises(KeyboardInterrupt):
        classifier.predict(Failing([KeyboardInterrupt]))


@pytest.mark.parametrize("source", [None, 7, 1.5, [], {}, object(), lambda: b"", iter([b"x"]), ""])
def test_things_that_are_no_images(classifier: Classifier, source: Any) -> None:
    assert outcome(classifier, source) == "ImageError"


@fuzz(150)
@given(st.binary(max_size=300), st.sampled_from(["bytes", "bytearray", "memoryview"]))
def test_any_bytes(classifier: Classifier, content: bytes, kind: str) -> None:
    source = {"bytes": bytes, "bytearray": bytearray, "memoryview": memoryview}[kind](content)
    assert outcome(classifier, source) == "ImageError"


@fuzz(150)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_bundle(content: bytes) -> None:
    with pytest.raises(ArtefactError):
        Classifier.open(content)


FILES_OF_FIRST = {name: (MODELS / name).read_bytes() for name in FILES[FIRST]}
NAMES = st.sampled_from(["bkl", "mel", "nv", "nv", "x"])
DECISIONS = st.builds(
    Decision,
    temperature=st.floats(0.01, 100) | st.sampled_from([1e-3, 9999.0, 0.0, -1.0, 1e300]),
    thresholds=st.none() | st.dictionaries(NAMES, st.floats(0, 1), max_size=2),
    refer_below=NUMBERS,
    energy_threshold=NUMBERS,
    conformal_quantile=NUMBERS,
    fitted_on=st.dictionaries(st.text(max_size=5), JSON, max_size=2),
)
LIMITS = st.dictionaries(
    st.sampled_from(["brightness", "sharpness", "glare", "contrast", "off_centre", "new"]),
    st.builds(Limit, low=NUMBERS, high=NUMBERS),
    max_size=4,
)
PIXELS = np.full((64, 64, 3), 90, np.uint8)


def with_decision(decision: Decision, limits: dict[str, Limit]) -> Manifest:
    manifest = manifest_of(FIRST, FILES_OF_FIRST)
    return msgspec.structs.replace(
        manifest, decision=decision, capture=CaptureRule(limits=limits), metrics={}
    )


@fuzz(200)
@given(DECISIONS, LIMITS)
def test_manifests_with_any_numbers(decision: Decision, limits: dict[str, Limit]) -> None:
    """A manifest is refused, or the runtime decides by it without a contradiction."""
    raw = msgspec.json.encode(with_decision(decision, limits))  # NaN and infinity become null
    try:
        with Classifier.open(zip_of({MANIFEST: raw, **FILES_OF_FIRST})) as opened:
            assert contradictions(opened.predict(PIXELS)) == ""
    except ArtefactError:
        return


@fuzz(200)
@given(DECISIONS, LIMITS)
def test_a_manifest_that_is_read_is_written_as_it_was(
    decision: Decision, limits: dict[str, Limit]
) -> None:
    raw = encode_manifest(with_decision(decision, limits))
    try:
        manifest = decode_manifest(raw)
    except ArtefactError:
        return
    assert encode_manifest(manifest) == raw
    assert decode_manifest(encode_manifest(manifest)) == manifest


@fuzz(300)
@given(st.data())
def test_manifests_with_anything_anywhere(data: st.DataObject) -> None:
    document: Any = json.loads(parts(FIRST)[MANIFEST])
    holder: Any = {"all": document}
    key: Any = "all"
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.integers(0, 3)):
        holder = holder[key]
        key = data.draw(
            st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder)))
        )
    holder[key] = data.draw(JSON)
    content = parts(FIRST) | {MANIFEST: json.dumps(document).encode()}
    found, failure = judged(lambda: opened_once(zip_of(content)))
    assert failure == ""
    assert found != "ImageError"


def opened_once(bundle: bytes) -> Any:
    with Classifier.open(bundle, selftest=False) as opened:
        return opened.predict(PIXELS)


def test_a_temperature_may_not_make_nonsense_of_the_logits() -> None:
    for temperature in (0.0, -1.0, 1e-300, 1e300, math.inf):
        raw = msgspec.json.encode(with_decision(Decision(temperature=temperature), {}))
        with pytest.raises(ArtefactError):
            decode_manifest(raw)
