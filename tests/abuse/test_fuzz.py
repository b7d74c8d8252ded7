"""A part of the fuzz with each run of the tests; `make fuzz` runs all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from abuse import procfs
from abuse.bundles import BACKENDS, installed, parts, zip_of
from abuse.campaign import Campaign, Failure, run
from abuse.cases import bundle_case, image_case
from abuse.manifest_mutations import _VALUES, mutate_manifest
from abuse.photos import photos
from edgekd.errors import EdgekdError
from edgekd.runtime import Classifier

pytestmark = pytest.mark.skipif(not procfs.TOLD, reason="needs Linux's /proc: run it on Linux")

BUNDLES, IMAGES = 400, 600


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    cases = [f"bundle:{number}" for number in range(BUNDLES)]
    cases += [f"image:{number}" for number in range(IMAGES)]
    return run(cases, seed=1, jobs=2)


def test_every_outcome_is_a_prediction_or_an_error_of_ours(campaign: Campaign) -> None:
    assert campaign.wrong == []
    assert campaign.printed == ""
    assert sum(campaign.outcomes.values()) == BUNDLES + IMAGES


def test_the_damage_is_neither_all_refused_nor_all_harmless(campaign: Campaign) -> None:
    for kind, error, total in (
        ("bundle", "ArtefactError", BUNDLES),
        ("image", "ImageError", IMAGES),
    ):
        assert campaign.count(kind, error) > total / 4
        assert campaign.count(kind, "answer") > total / 20
    groups = {(kind, group) for kind, group, _ in campaign.outcomes}
    assert {("image", kind) for kind in photos()} <= groups
    assert len({group for kind, group in groups if kind == "bundle"}) == 7


def test_undamaged_bundles_and_photos_are_fine() -> None:
    """What the fuzz starts from is right, or it would only meet one and the same refusal."""
    refused = {"gif", "jpeg-cmyk", "tiff-jpeg", "png-colour-key", "webp-alpha", "dicom-12"}
    for backend in filter(installed, BACKENDS):
        with Classifier.open(zip_of(parts(backend)), threads=1) as classifier:
            assert classifier.selftest().passed
            for kind, content in photos().items():
                try:
                    decision = classifier.predict(content).decision
                except EdgekdError:
                    decision = "refused"
                assert (decision == "refused") == (kind in refused), kind


def test_a_case_is_the_same_every_time() -> None:
    for number in range(40):
        assert bundle_case(0, number) == bundle_case(0, number)
        assert image_case(0, number) == image_case(0, number)
    assert bundle_case(0, 1) != bundle_case(1, 1)


def test_manifests_are_changed_without_a_trace() -> None:
    """No change makes a circle, and none is left in the values that the next case draws."""
    raw, values = parts("onnx")["manifest.json"], repr(_VALUES)
    for number in range(3000):
        assert isinstance(mutate_manifest(np.random.default_rng(number), raw), bytes)
    assert repr(_VALUES) == values


CRASH = """
import ctypes, sys, time
from abuse import worker
from pathlib import Path

def run_case(kind, seed, number, folder):
    if number == 1:
        ctypes.string_at(0)
    if number == 2:
        time.sleep(60)
    if number == 3:
        raise SystemExit(7)
    while number == 5:
        pass
    keep = bytearray(b"x") * (1_100_000_000 if number == 4 else 1)
    return worker.Answer("group", "answer", "", "", worker.procfs.peak())

worker.run_case, worker._prepare = run_case, lambda folder: None
worker.main(0, Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_the_watch_sees_crashes_and_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machinery itself: a worker that crashes, waits or works for ever, or leaves, is seen."""
    script = tmp_path / "crash.py"
    script.write_text(CRASH)
    monkeypatch.setattr("abuse.campaign.LONGEST", 4.0)
    monkeypatch.setattr("abuse.campaign.BLOCKED", 12.0)
    monkeypatch.setattr("abuse.campaign.WORKER", [str(script)])
    found = run([f"image:{number}" for number in range(7)], seed=0)
    told = {failure.case: failure.what for failure in found.wrong}
    assert told == {
        "image:1": "crash SIGSEGV", "image:2": "hang", "image:3": "crash exit 7",
        "image:5": "hang",
    }  # fmt: skip
    assert "string_at" in next(one.stack for one in found.wrong if one.case == "image:1")
    assert found.retried >= 1  # others too where the machine is slow
    assert found.hungriest[1] == "image:4"
    assert found.hungriest[0] > 1_100_000_000
    assert found.count("image", "answer") == 3


def test_an_engine_that_falls_over_is_not_ours() -> None:
    assert Failure("bundle:1", "model", "onnx", "crash SIGSEGV").forgiven
    assert not Failure("bundle:1", "zip", "", "crash SIGSEGV").forgiven
    assert not Failure("bundle:1", "model", "onnx", "TypeError: x").forgiven


def test_one_case_from_the_command_line(tmp_path: Path) -> None:
    script, kept = Path(__file__).with_name("fuzz.py"), tmp_path / "image"
    command = [sys.executable, str(script), "--only", "image:5", "--keep", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "outcome=" in done.stdout
    assert kept.read_bytes() == image_case(0, 5).content
