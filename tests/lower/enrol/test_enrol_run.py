"""A bundle is taught new classes by few images and marked, or stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lenient
import msgspec
import numpy as np
import pytest
from enrolling import COLOURS, FEATURES, read_lessons, write_lessons, write_teachable
from tiny_bundles import write_photo, write_tiny_bundle

from edgekd.bundle import Bundle, Manifest, generate_key, pack_bundle, sign_bundle, zip_bundle
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import ArtefactError, GateFailedError, InputError
from edgekd.lower.certify.run import CertifyRequest, certify
from edgekd.lower.enrol.run import Enrolment, EnrolRequest, enrol
from edgekd.metrics.few_shot import fit_head
from edgekd.runtime import Classifier


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_teachable(tmp_path / "bundle")


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five photos of each of three classes, whose colours tell them apart."""
    return write_lessons(tmp_path_factory.mktemp("lessons"))


def run(bundle: Path, table: Path, out: Path, **options: Any) -> Enrolment:
    return enrol(EnrolRequest(bundle, read_lessons(table), out, **options))


def manifest_of(bundle: Path) -> Manifest:
    with Bundle.open(bundle) as opened:
        return opened.manifest


def files_of(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def unlike(table: Path, folder: Path) -> Path:
    """The same photos, whose labels say nothing of what they show."""
    lines = table.read_text().splitlines()
    names = list(COLOURS)
    folder.mkdir()
    mixed = [
        ",".join((line.split(",")[0], names[n % 3], f"x{n}")) for n, line in enumerate(lines[1:])
    ]
    other = table.with_name(f"{folder.name}.csv")
    other.write_text("\n".join([lines[0], *mixed]) + "\n")
    return other


# ---- a bundle that learns ----


def test_it_answers_with_the_classes_that_it_was_taught(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    before, result = files_of(bundle), run(bundle, table, tmp_path / "out")
    assert result.error is None
    assert files_of(bundle) == before
    with Classifier.open(tmp_path / "out") as classifier:
        assert classifier.classes == ("angioma", "naevus", "scar")
        assert classifier.selftest().passed
        for name, colour in COLOURS.items():
            photo = write_photo(tmp_path / "photo.png", colour)
            prediction = classifier.predict(photo)
            assert prediction.label == name
            assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    with Bundle.open(bundle) as taught, Bundle.open(tmp_path / "out") as enrolled:
        assert enrolled.read("model.onnx") == (bundle / "features" / "model.onnx").read_bytes()
        assert enrolled.manifest == result.manifest
        assert enrolled.manifest.head == result.head
        assert enrolled.manifest.head is not None
        assert enrolled.manifest.head.earlier == taught.sha256


def test_its_outputs_are_those_of_the_head_on_features_of_unit_length(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    """Computed here once more from the colours, and fitted by the same head."""
    run(bundle, table, tmp_path / "out", inverse_strength=3.0)
    dataset = read_lessons(table)
    with Classifier.open(tmp_path / "out") as classifier:
        pixels = np.stack([classifier.preprocess(path) for path in dataset.paths()])
        found = np.stack([classifier.logits(image) for image in pixels])
    features = pixels.mean(axis=(1, 2)) @ FEATURES.astype(np.float64)
    head = fit_head(features, dataset.targets(), 3, inverse_strength=3.0)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit @ head.weights.T + head.bias, atol=1e-5)


def test_it_is_marked_wherever_it_is_seen(bundle: Path, table: Path, tmp_path: Path) -> None:
    result = run(bundle, table, tmp_path / "out")
    manifest, head = result.manifest, result.head
    assert manifest is not None
    (warning,) = manifest.warnings
    assert warning.startswith("enrolled, not certified: taught 3 classes by 15 images on 20")
    assert f"balanced accuracy when left out {head.balanced_accuracy:.3f} [" in warning
    assert manifest.certificate is not None
    assert not manifest.certificate.certified
    card = (tmp_path / "out" / "card.md").read_text()
    assert f"**{warning}**" in card
    assert "Enrolled, not certified: taught 3 classes" in card
    assert "| scar | 5 | 5 | 5 | 1.000 [0.566, 1.000] |" in card
    assert "edgekd certify BUNDLE" in card
    assert "- None was fitted: the most probable class is the answer" in card
    with Classifier.open(tmp_path / "out") as classifier:
        assert classifier.warnings == (warning,)


def test_nothing_of_what_the_bundle_was_is_said_of_what_it_is(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    was = manifest_of(bundle)
    now = run(bundle, table, tmp_path / "out").manifest
    assert now is not None
    assert (now.metrics, now.policy, now.features, now.reference) == ({}, None, None, None)
    assert now.decision == type(now.decision)()
    assert (now.lowering.tried, now.lowering.precision) == (0, "fp32")
    assert was.decision != now.decision
    assert now.lineage == was.lineage
    assert now.capture == was.capture
    assert now.data is not None
    assert now.data.parts["train"].classes == {"angioma": 5, "naevus": 5, "scar": 5}


def test_an_enrolled_bundle_is_taught_again(bundle: Path, table: Path, tmp_path: Path) -> None:
    run(bundle, table, tmp_path / "first")
    other = write_lessons(
        tmp_path / "more", colours={"wart": (200, 200, 60), "naevus": COLOURS["naevus"]}
    )
    result = run(tmp_path / "first", other, tmp_path / "second")
    assert result.error is None
    with Classifier.open(tmp_path / "second") as classifier:
        assert classifier.classes == ("naevus", "wart")
        photo = write_photo(tmp_path / "photo.png", (200, 200, 60))
        assert classifier.predict(photo).label == "wart"
        assert len(classifier.warnings) == 1


def test_a_file_and_a_zip_are_taught_alike(bundle: Path, table: Path, tmp_path: Path) -> None:
    zip_bundle(bundle, tmp_path / "bundle.edgekd")
    first = run(bundle, table, tmp_path / "out")
    second = run(tmp_path / "bundle.edgekd", table, tmp_path / "out.edgekd")
    assert first.head == second.head
    with Classifier.open((tmp_path / "out.edgekd").read_bytes()) as classifier:
        assert classifier.selftest().passed


def test_its_images_are_listed_as_those_that_it_was_trained_on(table: Path, tmp_path: Path) -> None:
    paths = read_lessons(table).paths()
    listed = SeenImages.of({"train": image_hashes(paths[:2])}, "key")
    bundle = write_teachable(tmp_path / "b", files={SEEN_IMAGES: listed.encode()})
    result = run(bundle, table, tmp_path / "out")
    assert result.trained_on == 2
    assert result.manifest is not None
    assert "2 of the images trained the network itself" in result.manifest.limits
    from edgekd.bundle.seen_images import read_seen_images

    with Bundle.open(tmp_path / "out") as opened:
        seen = read_seen_images(opened)
    assert seen is not None
    assert seen.counts() == {"train": 15}
    run(bundle, table, tmp_path / "silent", list_images=False)
    with Bundle.open(tmp_path / "silent") as opened:
        silent = read_seen_images(opened)
    assert silent is not None
    assert silent.counts() == {"train": 2}


def test_photos_that_it_would_send_back_are_counted(bundle: Path, tmp_path: Path) -> None:
    dark = {"night": (30, 8, 8), "noon": (8, 30, 8)}
    result = run(bundle, write_lessons(tmp_path / "dark", colours=dark), tmp_path / "out")
    assert result.retaken == 10


def test_its_signature_is_lost(bundle: Path, table: Path, tmp_path: Path) -> None:
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    with pytest.raises(ArtefactError):
        run(bundle, table, tmp_path / "out", public_key=tmp_path / "key.pub.pem")
    sign_bundle(bundle, tmp_path / "key.pem")
    result = run(bundle, table, tmp_path / "out", public_key=tmp_path / "key.pub.pem")
    assert result.was_signed
    with Bundle.open(tmp_path / "out") as opened:
        assert opened.signature == "none"
    sign_bundle(tmp_path / "out", tmp_path / "key.pem")
    with Bundle.open(tmp_path / "out", public_key=tmp_path / "key.pub.pem") as opened:
        assert opened.signature == "verified"


def test_certify_judges_it_on_images_that_did_not_teach_it(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    run(bundle, table, tmp_path / "out")
    judging = write_lessons(tmp_path / "judging", 20, seed=9)
    request = CertifyRequest(
        tmp_path / "out", read_lessons(judging), tmp_path / "certified",
        policy=str(lenient.POLICY), critical={},
    )  # fmt: skip
    result = certify(request)
    assert result.error is None
    assert result.gate.flips == 0.0
    with Classifier.open(tmp_path / "certified") as classifier:
        assert classifier.warnings == ()
        assert classifier.manifest.head == manifest_of(tmp_path / "out").head
        photo = write_photo(tmp_path / "photo.png", COLOURS["scar"])
        assert classifier.predict(photo).label == "scar"
    card = (tmp_path / "certified" / "card.md").read_text()
    assert "Taught its classes by `edgekd enrol`" in card
    assert "not certified" not in card


# ---- one that does not ----


def test_labels_that_say_nothing_are_not_learnt(bundle: Path, table: Path, tmp_path: Path) -> None:
    nonsense = unlike(table, tmp_path / "nonsense")
    result = run(bundle, nonsense, tmp_path / "out")
    assert isinstance(result.error, GateFailedError)
    assert "is not shown to exceed chance, 0.333" in result.error.message
    assert "--research" in result.error.hint
    assert not (tmp_path / "out").exists()
    marked = run(bundle, nonsense, tmp_path / "out", research=True)
    assert marked.error is None
    assert marked.shortfall == result.shortfall
    assert marked.manifest is not None
    assert marked.manifest.warnings[0].startswith("enrolled, not certified")


def test_a_class_of_one_lesion_is_not_measured_and_told_what_it_needs(
    bundle: Path, tmp_path: Path
) -> None:
    table = write_lessons(tmp_path / "one", groups={"scar": 1})
    result = run(bundle, table, tmp_path / "out")
    assert isinstance(result.error, GateFailedError)
    assert "the images of scar are of one lesion or patient" in result.error.message
    assert result.head.balanced_accuracy is None
    assert result.head.classes["scar"].sensitivity is None
    assert result.head.classes["angioma"].right == 5
    marked = run(bundle, table, tmp_path / "out", research=True)
    assert marked.manifest is not None
    assert "nothing was measured" in marked.manifest.warnings[0]
    assert "| scar | 5 | 1 | not measured |" in (tmp_path / "out" / "card.md").read_text()


def test_what_cannot_be_taught_is_refused(bundle: Path, table: Path, tmp_path: Path) -> None:
    alone = write_lessons(tmp_path / "alone", colours={"scar": COLOURS["scar"]})
    with pytest.raises(InputError, match="only one class"):
        run(bundle, alone, tmp_path / "out")
    many = write_lessons(tmp_path / "many", 70)
    with pytest.raises(InputError, match="210 images are more than the 200"):
        run(bundle, many, tmp_path / "out")
    with pytest.raises(InputError, match="the head's strength is 0"):
        run(bundle, table, tmp_path / "out", inverse_strength=0.0)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    with pytest.raises(InputError, match="there is something at"):
        run(bundle, table, tmp_path / "there")
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_features_says_how_to_get_them(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        run(write_tiny_bundle(tmp_path / "plain"), table, tmp_path / "out")
    assert "--features" in caught.value.hint
    with Bundle.open(bundle) as opened:
        pack_bundle(opened, tmp_path / "app.edgekd")
    with pytest.raises(InputError) as caught:
        run(tmp_path / "app.edgekd", table, tmp_path / "out")
    assert "an app's bundle goes without them" in caught.value.hint


def test_features_that_are_others_here_are_noticed(table: Path, tmp_path: Path) -> None:
    bundle = write_teachable(tmp_path / "wrong", wrong_by=0.5)
    with pytest.raises(ArtefactError, match=r"self-test of .* fails on this machine"):
        run(bundle, table, tmp_path / "out")
    good = write_teachable(tmp_path / "sized")
    document = msgspec.json.decode((good / "manifest.json").read_bytes())
    document["features"]["size"] = 9
    (good / "manifest.json").write_bytes(msgspec.json.encode(document))
    with pytest.raises(ArtefactError, match="does not give the 9 features"):
        run(good, table, tmp_path / "out")


def test_it_needs_no_torch(bundle: Path, table: Path, tmp_path: Path) -> None:
    """In a process in which nothing of training can be imported, as on a board."""
    words = ["enrol", str(bundle), "--csv", str(table), "--group-column", "lesion"]
    words += ["--out", str(tmp_path / "out")]
    code = (
        "import sys\n"
        "for name in ('torch', 'timm', 'lightning', 'sklearn', 'scipy', 'matplotlib', 'onnx'):\n"
        "    sys.modules[name] = None\n"
        "from edgekd.cli import main\n"
        f"sys.exit(main({words!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'out'}: enrolled, not certified" in done.stdout
