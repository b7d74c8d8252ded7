"""The head of an enrolled bundle in its manifest: what contradicts it, and the mark it gives."""

from __future__ import annotations

import msgspec
import pytest
from manifests import make_manifest

from edgekd.bundle import Certificate, FileEntry, HeadRecord
from edgekd.bundle.head import problems_of_head
from edgekd.bundle.manifest import decode_manifest, encode_manifest
from edgekd.errors import ArtefactError

HEAD = HeadRecord(weights=((1.0, 2.0), (0.5, 0.25), (0.0, -1.0)), bias=(0.0, 1.0, 2.0))
UNCERTIFIED = Certificate(student="tiny", certified=False, reason="why", remedy="certify")


def test_a_good_head_is_read_as_it_was_written() -> None:
    files = {"model.onnx": FileEntry(sha256="0", size=1)}
    manifest = make_manifest(head=HEAD, files=files)
    assert decode_manifest(encode_manifest(manifest)).head == HEAD
    assert HEAD.size == 2
    assert list(problems_of_head(HEAD, 3)) == []
    assert list(problems_of_head(None, 3)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": ((1.0,), (1.0,))}, "must have weights"),
        ({"weights": ((1.0,), (1.0, 2.0), (1.0,))}, "must have weights"),
        ({"weights": ((), (), ())}, "must have weights"),
        ({"bias": (0.0,)}, "must have weights"),
        ({"bias": (0.0, float("inf"), 0.0)}, "finite"),
        ({"weights": ((1.0,), (float("nan"),), (1.0,))}, "finite"),
    ],
)
def test_a_head_that_contradicts_itself_or_the_classes(
    changes: dict[str, tuple[float, ...]], words: str
) -> None:
    (problem,) = problems_of_head(msgspec.structs.replace(HEAD, **changes), 3)
    assert words in problem


def test_a_manifest_with_a_wrong_head_is_refused() -> None:
    raw = encode_manifest(make_manifest(head=msgspec.structs.replace(HEAD, bias=(0.0,))))
    with pytest.raises(ArtefactError, match="head must have weights"):
        decode_manifest(raw)


def test_a_bundle_with_a_head_is_marked_enrolled_until_it_is_certified() -> None:
    marked = make_manifest(head=HEAD, certificate=UNCERTIFIED)
    assert marked.warnings == ("enrolled, not certified: why",)
    plain = make_manifest(certificate=UNCERTIFIED)
    assert plain.warnings == ("for research, not certified: why",)
    certified = msgspec.structs.replace(UNCERTIFIED, certified=True)
    assert make_manifest(head=HEAD, certificate=certified).warnings == ()
