"""`edgekd enrol`: a bundle that is taught new classes, and written again with them.

No weight and no byte of its network changes: a logistic head is fitted to the features of few
images (Tian et al. 2020, see `edgekd.metrics.few_shot`), and takes the place of the outputs. It is
asked about each lesion or patient by a head without it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, Bundle, HeadRecord, Manifest, ModelFiles, PublicKey
from edgekd.bundle.manifest import encode_manifest
from edgekd.bundle.reader import MAX_MANIFEST_BYTES
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages, read_seen_images
from edgekd.data import Dataset, Split, decode_images
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import EdgekdError, GateFailedError, InputError
from edgekd.files import is_occupied
from edgekd.lower.built import write_bundle_at
from edgekd.lower.enrol.extractor import Extractor, extractor_of
from edgekd.lower.enrol.manifest import enrolled_manifest
from edgekd.lower.enrol.taught import Lessons, shortfall, taught_head
from edgekd.lower.evidence.capture import retaken
from edgekd.lower.evidence.card import write_card
from edgekd.lower.jobs.trial import answers_of
from edgekd.lower.selftest import tolerance_of
from edgekd.lower.store import array_sha256
from edgekd.metrics.resampling import group_codes
from edgekd.runtime.head import with_head
from edgekd.runtime.selftest import Vectors
from edgekd.runtime.sessions import open_session

__all__ = ["EnrolRequest", "Enrolment", "enrol"]

_CARD = "card.md"


def _uncounted(step: int, total: int) -> None:
    del step, total


@dataclass(frozen=True)
class EnrolRequest:
    """What to teach a bundle.

    Attributes:
        bundle: The bundle's folder or `.edgekd` file.
        images: Labelled images of the classes that it is taught, old ones among them.
        out: Where the enrolled bundle is written: a folder, or a file where it ends in `.edgekd`.
        inverse_strength: C of the head, see `edgekd.metrics.few_shot.fit_head`.
        research: Write it although it is not shown to be better than chance.
        public_key: Ed25519 key that the bundle must be signed with; None asks for no signature.
        list_images: Add the images' short hashes to the bundle's list, if it has one.
        tick: Takes the number of steps that are done, and of those that have to be: an image that
            ran, a lesion or patient that was left out.
    """

    bundle: Path
    images: Dataset
    out: Path
    inverse_strength: float = 1.0
    research: bool = False
    public_key: PublicKey | None = None
    list_images: bool = True
    tick: Callable[[int, int], None] = _uncounted


@dataclass(frozen=True)
class Enrolment:
    """The result: the enrolled bundle, or why there is none, with what was measured either way.

    Attributes:
        head: What it was taught.
        shortfall: Why it is not shown to be better than chance; None where it is.
        retaken: Number of the images that the bundle's limits of photos would send back.
        trained_on: Number of the images that its network was trained on.
        manifest: Manifest of the enrolled bundle; None where there is none.
        error: Why there is none.
        was_signed: Whether the bundle bore a signature, which does not hold for the enrolled one.
    """

    head: HeadRecord
    shortfall: str | None
    retaken: int
    trained_on: int
    manifest: Manifest | None
    error: EdgekdError | None
    was_signed: bool


def enrol(request: EnrolRequest) -> Enrolment:
    """Teach a bundle the classes of some images; where it learns them, write it with its head.

    Raises:
        InputError: The images cannot be used, something is at `out`, or the bundle gives no
            features.
        MissingDependencyError: The engine is not installed.
        ArtefactError: The bundle is damaged, not signed with the key, or answers otherwise here
            than where it was built.
        ImageError: An image cannot be read.
    """
    if is_occupied(request.out):
        message = f"there is something at {request.out} already"
        raise InputError(message, "choose another place for the enrolled bundle")
    if not request.inverse_strength > 0:
        message = f"the head's strength is {request.inverse_strength:g}"
        raise InputError(message, "give a number above 0; 1 is the paper's")
    with Bundle.open(request.bundle, public_key=request.public_key) as bundle:
        return _enrolled(request, bundle)


def _enrolled(request: EnrolRequest, bundle: Bundle) -> Enrolment:
    extractor, dataset = extractor_of(bundle), request.images
    names = [sample.group for sample in dataset.samples]
    groups, labels = group_codes(names, len(names)), dataset.targets()
    blank = np.zeros((len(labels), extractor.size))
    Lessons(blank, labels, groups, dataset.classes)  # refused before anything runs
    pixels = decode_images(dataset.paths(), bundle.manifest.model.image_size)
    images, total = len(pixels), len(pixels) + len(np.unique(groups))
    features = extractor.features(bundle, pixels, lambda done: request.tick(done, total))
    lessons = Lessons(features, labels, groups, dataset.classes)
    head = taught_head(
        lessons, request.inverse_strength, bundle.sha256,
        lambda done, of: request.tick(images + done, total),
    )  # fmt: skip
    why = shortfall(head)
    back = int(retaken(pixels, bundle.manifest.capture).sum())
    hashes, listed = image_hashes(dataset.paths()), read_seen_images(bundle)
    known = 0 if listed is None else sum(listed.part_of(each) == "train" for each in hashes)
    signed = bundle.signature != "none"
    if why is not None and not request.research:
        return Enrolment(head, why, back, known, None, _refused(bundle, why), signed)
    split = Split(dataset, ("train",) * len(dataset.samples))
    manifest = enrolled_manifest(bundle, split, array_sha256(pixels), extractor, head, known)
    if listed is not None and request.list_images:
        listed = listed.joined({"train": hashes})
    written = _write(request.out, extractor, manifest, head, listed)
    return Enrolment(head, why, back, known, written, None, signed)


def _refused(bundle: Bundle, why: str) -> GateFailedError:
    return GateFailedError(
        f"{bundle.label} did not learn these classes: {why}",
        "give images of more lesions or patients of each class; --research writes it, marked",
    )


# ---- writing ----


def _write(
    out: Path, extractor: Extractor, manifest: Manifest, head: HeadRecord, listed: SeenImages | None
) -> Manifest:
    """Write the enrolled bundle, whole or not at all; returns its manifest."""
    size = len(encode_manifest(manifest))
    if size > MAX_MANIFEST_BYTES // 2:  # its list of files follows
        message = f"a head of {len(head.bias)} classes and {head.size} features is too large"
        raise InputError(message, "enrol fewer classes, or train a student with them")
    files: dict[str, Path | bytes] = {
        **extractor.files,
        _CARD: write_card(manifest).encode(),
        SELFTEST: _selftest(extractor, head),
    }
    if listed is not None:
        files[SEEN_IMAGES] = listed.encode()
    return write_bundle_at(out, manifest, files, zipped=out.suffix == ".edgekd")


def _selftest(extractor: Extractor, head: HeadRecord) -> bytes:
    """The images of the features' self-test, with the outputs of the enrolled bundle for them."""
    files = ModelFiles(extractor.model_file, contents=extractor.files)
    session = with_head(open_session(extractor.backend, files, threads=1), head)
    try:
        images: NDArray[np.uint8] = extractor.vectors.images
        outputs = answers_of(session, images).outputs
    finally:
        session.close()
    saved = io.BytesIO()
    Vectors(images, outputs, tolerance_of(outputs, extractor.precision)).save(saved)
    return saved.getvalue()
