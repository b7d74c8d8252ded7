"""Finishing a bundle: TensorRT-RTX builds, ONNX Runtime answers in the place of the GPU."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgekd.bundle import (
    SELFTEST,
    Bundle,
    write_bundle,
)
from edgekd.bundle.policy import PolicyRecord
from edgekd.errors import ArtefactError, GateFailedError, InputError
from edgekd.lower.backends.tensorrt.finish import Toolchain, finish_on_device
from edgekd.lower.evidence.device_gate import Evidence, evidence_beside
from edgekd.lower.jobs.process import JobError
from edgekd.policy import Floors

pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="needs the extra: pip install 'edgekd[tensorrt-check]'",
)

from colour_networks import SIZE, coloured_images, logits_of, mean_colour  # noqa: E402
from engine_standin import RTX, install  # noqa: E402
from unfinished_bundles import IMAGES, TERMS, make_bundle  # noqa: E402


@pytest.fixture(autouse=True)
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    answering = tmp_path / "answering.onnx"
    answering.write_bytes(mean_colour())
    install(tmp_path / "standin", answering, monkeypatch)
    return answering


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path)


def content(folder: Path) -> dict[str, str]:
    """Hash of every file, hidden ones too."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def left_beside(bundle: Path) -> list[str]:
    """What is in the bundle's folder that nobody wants there."""
    wanted = {"jetson", "jetson.evidence.npz", "logs"}
    names = {file.name for file in bundle.parent.iterdir()} - wanted
    return sorted(name for name in names if not name.endswith(".timing"))


# ---- what is made ----


def test_a_finished_bundle(bundle: Path) -> None:
    onnx = (bundle / "model.onnx").read_bytes()
    said: list[str] = []
    finish_on_device(bundle, said.append, toolchain=RTX)
    with Bundle.open(bundle) as opened:
        manifest, size = opened.manifest, opened.size_bytes
    lowering = manifest.lowering
    assert (lowering.completion, lowering.completion_command) == ("complete", None)
    assert manifest.model_file == "model.engine"
    assert {"model.onnx", "model.engine.json", SELFTEST, "card.md"} < set(manifest.files)
    assert (bundle / "model.onnx").read_bytes() == onnx
    assert size == (bundle / "model.engine").stat().st_size
    assert lowering.tools.keys() == {"onnx", "tensorrt_rtx_bindings", "onnx-parser"}
    assert left_beside(bundle) == []
    assert len(list(bundle.parent.glob("jetson.*.timing"))) == 1
    assert any(line.startswith("building for TensorRT RTX") for line in said)
    assert any(line.startswith("Building engine") for line in said)
    assert "the engine passed its gate on 90 images" in said


def test_a_finished_bundle_still_answers_by_its_onnx(bundle: Path) -> None:
    """On a host, or on a board whose TensorRT changed."""
    from edgekd.runtime import Classifier

    pytest.importorskip("onnxruntime")
    finish_on_device(bundle, toolchain=RTX)
    images, _ = coloured_images(4)
    with Classifier.open(bundle, backend="onnx") as classifier:
        answers = np.stack([classifier.logits(image) for image in images])
    np.testing.assert_allclose(answers, logits_of(images), atol=0.01)


def test_what_the_manifest_says_of_the_engine(bundle: Path) -> None:
    finish_on_device(bundle, toolchain=RTX)
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
    engine = manifest.lowering.engine
    assert engine is not None
    assert engine.gate.passed
    assert engine.gate.images == IMAGES
    assert engine.gate.per_class["mel"].critical
    assert engine.gate.runtime["engine"].startswith("onnxruntime")
    assert engine.built_for["capability"] == "SM86"
    assert engine.size_bytes == (bundle / "model.engine").stat().st_size
    assert 0 <= engine.selftest_difference < 1e-4
    assert engine.latency_ms > 0
    assert manifest.decision.temperature < 9.0  # fitted again, to these very answers
    assert manifest.decision.fitted_on == TERMS.fitted_on
    assert manifest.metrics["artefact"]["balanced_accuracy"]["value"] == 1.0
    assert manifest.metrics["part"] == "validation"
    card = (bundle / "card.md").read_text()
    assert "Passed the gate itself, on 90 images" in card


# ---- the policy ----


def with_floors(folder: Path, *, answered: float, research: bool = False) -> Path:
    """A bundle whose engine must answer that share of the images; its decision refers a tenth."""
    terms = msgspec.structs.replace(TERMS, floors=Floors(noticed=0.9, answered=answered))
    record = PolicyRecord(name="mine", sha256="0" * 64, critical={"mel": 0.1}, research=research)
    return make_bundle(folder, terms=terms, policy=record)


def policy_of(bundle: Path) -> PolicyRecord:
    with Bundle.open(bundle) as opened:
        assert opened.manifest.policy is not None
        return opened.manifest.policy


def test_the_engine_is_held_to_the_floors(tmp_path: Path) -> None:
    bundle = with_floors(tmp_path, answered=0.5)
    finish_on_device(bundle, toolchain=RTX)
    record = policy_of(bundle)
    assert [floor.code for floor in record.floors] == ["beyond-chance", "noticed", "answered"]
    assert record.warnings == ()
    assert record.teacher is not None
    assert (record.teacher.state, record.teacher.deficit) == ("not-inferior", 0.0)


def test_an_engine_below_a_floor_is_refused(tmp_path: Path) -> None:
    bundle = with_floors(tmp_path, answered=0.99)
    before = content(bundle)
    with pytest.raises(GateFailedError, match="a floor of the policy mine is not met") as caught:
        finish_on_device(bundle, toolchain=RTX)
    assert "images that get an answer is 0." in caught.value.message
    assert "the bundle is as it was" in caught.value.hint
    assert (content(bundle), left_beside(bundle)) == (before, [])


def test_an_engine_for_research_is_finished_and_says_so(tmp_path: Path) -> None:
    bundle = with_floors(tmp_path, answered=0.99, research=True)
    finish_on_device(bundle, toolchain=RTX)
    (warning,) = policy_of(bundle).warnings
    assert warning.startswith("for research, floor not met: the share of images that get an answer")
    assert warning in (bundle / "card.md").read_text()


def test_the_sidecar_says_how_the_engine_was_built(bundle: Path) -> None:
    finish_on_device(bundle, toolchain=RTX)
    sidecar = msgspec.json.decode((bundle / "model.engine.json").read_bytes())
    hashes = content(bundle)
    assert sidecar["engine_sha256"] == hashes["model.engine"]
    assert sidecar["onnx_sha256"] == hashes["model.onnx"]
    assert sidecar["flags"]["tf32"] is False  # an fp32 bundle claims the student's own precision
    assert 64 << 20 <= sidecar["flags"]["workspace_bytes"] <= 1 << 30


def test_a_signature_goes_with_the_old_manifest(bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from edgekd.bundle import generate_key, sign_bundle

    private = tmp_path / "private.pem"
    generate_key(private, tmp_path / "public.pem")
    sign_bundle(bundle, private)
    said: list[str] = []
    finish_on_device(bundle, said.append, toolchain=RTX)
    assert said[-1] == "the signature went with the old manifest; sign the bundle again"


def test_complete_is_complete_for_one_machine(bundle: Path) -> None:
    finish_on_device(bundle, toolchain=RTX)
    before = content(bundle)
    with pytest.raises(InputError, match=r"complete already for TensorRT RTX .*SM86"):
        finish_on_device(bundle, toolchain=RTX)
    assert content(bundle) == before
    said: list[str] = []
    other = Toolchain(library="tensorrt-rtx", capabilities=("SM89",), session="standin")
    finish_on_device(bundle, said.append, toolchain=other)
    assert "SM86" in said[0]
    with Bundle.open(bundle) as opened:
        engine = opened.manifest.lowering.engine
    assert engine is not None
    assert engine.built_for["capability"] == "SM89"
    assert len(list(bundle.parent.glob("jetson.*.timing"))) == 2


def test_complete_without_the_evidence_that_was_deleted(bundle: Path) -> None:
    finish_on_device(bundle, toolchain=RTX)
    evidence_beside(bundle).unlink()
    with pytest.raises(InputError, match="complete already"):
        finish_on_device(bundle, toolchain=RTX)


def test_an_engine_whose_sidecar_is_damaged_is_built_again(bundle: Path) -> None:
    finish_on_device(bundle, toolchain=RTX)
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
    files: dict[str, Path | bytes] = {name: (bundle / name).read_bytes() for name in manifest.files}
    write_bundle(bundle, manifest, files | {"model.engine.json": b"{}"})
    said: list[str] = []
    finish_on_device(bundle, said.append, toolchain=RTX)
    assert said[0].startswith("model.engine.json is damaged")
    finished = msgspec.json.decode((bundle / "model.engine.json").read_bytes())
    assert finished["engine_sha256"] == content(bundle)["model.engine"]


# ---- what is refused, with the bundle as it was ----


def refused(bundle: Path, kind: type[Exception], match: str, **options: Any) -> Any:
    before = content(bundle)
    with pytest.raises(kind, match=match) as caught:
        finish_on_device(bundle, **{"toolchain": RTX} | options)
    assert content(bundle) == before
    assert left_beside(bundle) == []
    return caught.value


def test_no_evidence(bundle: Path) -> None:
    evidence_beside(bundle).unlink()
    error = refused(bundle, GateFailedError, "jetson.evidence.npz is missing")
    assert error.exit_code == 4
    assert "copy jetson.evidence.npz from the host to the board" in error.hint


def test_evidence_elsewhere(bundle: Path, tmp_path: Path) -> None:
    moved = evidence_beside(bundle).rename(tmp_path / "moved.npz")
    finish_on_device(bundle, evidence=moved, toolchain=RTX)
    assert (bundle / "model.engine").is_file()


def test_evidence_of_another_bundle(bundle: Path) -> None:
    images, targets = coloured_images(IMAGES)
    Evidence(images, 2 * logits_of(images), targets, TERMS).save(evidence_beside(bundle))
    error = refused(bundle, ArtefactError, "the evidence of another bundle")
    assert error.exit_code == 6


def test_evidence_cut_short(bundle: Path) -> None:
    file = evidence_beside(bundle)
    file.write_bytes(file.read_bytes()[:-100])
    refused(bundle, ArtefactError, "is damaged")


def test_a_bundle_that_names_no_evidence(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
    lowering = msgspec.structs.replace(manifest.lowering, evidence_sha256=None)
    files: dict[str, Path | bytes] = {name: (bundle / name).read_bytes() for name in manifest.files}
    write_bundle(bundle, msgspec.structs.replace(manifest, lowering=lowering), files)
    error = refused(bundle, GateFailedError, "names no evidence")
    assert "`edgekd build --data`" in error.hint


def test_an_engine_that_differs_fails_the_self_test(bundle: Path, standin: Path) -> None:
    standin.write_bytes(mean_colour(weight=0.04))
    error = refused(bundle, GateFailedError, "differ from the host's by")
    assert "the bundle is as it was" in error.hint


def test_an_engine_that_loses_the_diagnosis_fails_the_gate(tmp_path: Path, standin: Path) -> None:
    bundle = make_bundle(tmp_path, tolerance=1e3)
    standin.write_bytes(mean_colour(weight=-0.05))
    error = refused(bundle, GateFailedError, "does not pass its gate: .*decisions flip")
    assert error.exit_code == 4


def test_a_damaged_onnx_file(bundle: Path) -> None:
    file = bundle / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    refused(bundle, ArtefactError, "model.onnx does not have the hash")


def test_an_onnx_file_that_is_none(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, onnx=b"no network")
    error = refused(bundle, JobError, "cannot parse model.onnx")
    assert error.exit_code == 6


def test_a_capability_that_is_not_known(bundle: Path) -> None:
    wrong = Toolchain(library="tensorrt-rtx", capabilities=("SM10",), session="standin")
    error = refused(bundle, JobError, "cannot build for SM10", toolchain=wrong)
    assert error.exit_code == 2
    assert "known: " in error.hint


def test_a_packed_bundle(bundle: Path, tmp_path: Path) -> None:
    from edgekd.bundle import zip_bundle

    packed = tmp_path / "jetson.edgekd"
    zip_bundle(bundle, packed)
    with pytest.raises(InputError, match="is a packed bundle"):
        finish_on_device(packed, toolchain=RTX)


def test_a_bundle_of_another_backend(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
    lowering = msgspec.structs.replace(manifest.lowering, backend="onnx", completion="complete")
    files: dict[str, Path | bytes] = {name: (bundle / name).read_bytes() for name in manifest.files}
    write_bundle(bundle, msgspec.structs.replace(manifest, lowering=lowering), files)
    refused(bundle, InputError, "nothing of it is built on a device")


# ---- kills and full disks ----


def children_at(module: str) -> list[int]:
    """This process's children that run a module."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            arguments = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if module.encode() in arguments:
                found.append(int(child))
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_a_build_that_the_system_kills(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, onnx=mean_colour(hidden=40))  # some tenths of a second of work
    killed: list[int] = []

    def kill(line: str) -> None:
        if line.startswith("building for"):
            for child in children_at("edgekd.lower.backends.tensorrt.job"):
                os.kill(child, signal.SIGKILL)
                killed.append(child)

    before = content(bundle)
    with pytest.raises(JobError, match="SIGKILL") as caught:
        finish_on_device(bundle, kill, toolchain=RTX)
    assert len(killed) == 1
    assert caught.value.killed
    assert "add swap" in caught.value.hint
    assert "MiB" in caught.value.hint or "GiB" in caught.value.hint
    assert content(bundle) == before
    assert left_beside(bundle) == []
    finish_on_device(bundle, toolchain=RTX)  # nothing stands in the way of the next attempt


SPEAKING = """
    import sys
    from pathlib import Path
    from edgekd.lower.backends.tensorrt.finish import Toolchain, finish_on_device
    toolchain = Toolchain(library="tensorrt-rtx", capabilities=("SM86",), session="standin")
    finish_on_device(Path(sys.argv[1]), lambda line: print(line, flush=True), toolchain=toolchain)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's prctl")
@pytest.mark.parametrize("moment", ["building for", "selftest: image"])
def test_the_whole_command_killed(tmp_path: Path, moment: str) -> None:
    bundle = make_bundle(tmp_path, onnx=mean_colour(hidden=12))
    before = content(bundle)
    command = [sys.executable, "-c", textwrap.dedent(SPEAKING), str(bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith(moment) for line in process.stdout)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert content(bundle) == before
    finish_on_device(bundle, toolchain=RTX)
    assert left_beside(bundle) == []  # what was left has been swept up


LIMITED = """
    import resource, sys
    from pathlib import Path
    from edgekd.errors import EdgekdError
    from edgekd.lower.backends.tensorrt.finish import Toolchain, finish_on_device
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    toolchain = Toolchain(library="tensorrt-rtx", capabilities=("SM86",), session="standin")
    try:
        finish_on_device(Path(sys.argv[1]), toolchain=toolchain)
    except EdgekdError as error:
        print(error.exit_code, error.message, "|", error.hint)
"""


@pytest.mark.parametrize("bytes_at_most", [50_000, 100_000, 1_000_000])
def test_a_disk_that_is_full(tmp_path: Path, bytes_at_most: int) -> None:
    """A file of the evidence, of the engine, or none of them finds room."""
    bundle = make_bundle(tmp_path)
    before = content(bundle)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(bundle), str(bytes_at_most)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if bytes_at_most == 1_000_000:
        assert run.stdout == ""
        assert (bundle / "model.engine").is_file()
        return
    assert run.stdout.startswith("2 ")
    assert "File too large" in run.stdout
    assert "make room on that disk" in run.stdout
    assert content(bundle) == before
    assert left_beside(bundle) == []


# ---- what a board need not have ----

ABSENT = """
    import os, sys
    from pathlib import Path

    HEAVY = {"torch", "torchvision", "timm", "scipy", "sklearn", "onnx"}
    if b"edgekd.lower.jobs.trial" not in Path("/proc/self/cmdline").read_bytes():
        HEAVY.add("onnxruntime")  # it stands in for the GPU there, and only there

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in HEAVY:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Absent())
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(".")
"""
ALONE = """
    import sys
    from pathlib import Path
    from edgekd.lower.backends.tensorrt.finish import Toolchain, finish_on_device
    toolchain = Toolchain(library="tensorrt-rtx", capabilities=("SM86",), session="standin")
    finish_on_device(Path(sys.argv[1]), toolchain=toolchain)
    files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    installed = {name for name, file in files.items() if "site-packages" in file}
    print(*{name.partition(".")[0] for name in installed})
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_a_board_without_pytorch_scipy_and_onnx(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "standin" / "sitecustomize.py").write_text(textwrap.dedent(ABSENT))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(ALONE), str(bundle)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stderr == ""
    # The last two come with msgspec and with the environment of this test.
    allowed = {"cv2", "msgspec", "numpy", "typing_extensions", "_distutils_hack"}
    assert set(run.stdout.split()) - allowed == set()
    assert len((tmp_path / "seen").read_text()) >= 4  # this one, the build and two trials
    assert (bundle / "model.engine").is_file()


def test_evidence_is_the_same_bytes_and_for_the_owner_alone(tmp_path: Path) -> None:
    images, targets = coloured_images(IMAGES)
    evidence = Evidence(images, logits_of(images), targets, TERMS)
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    assert evidence.save(first) == evidence.save(second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o077 == 0
    assert np.load(first)["images"].shape == (IMAGES, SIZE, SIZE, 3)


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_tensorrt_is_missing(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgekd.cli import main

    assert main(["build", "--on-device", str(bundle)]) == 3
    assert "JetPack" in capsys.readouterr().err
