"""A build for several targets: each ends in its own verdict, whatever befalls the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lenient
import msgspec
import pytest
import third_party

from edgekd.bundle import Bundle
from edgekd.errors import GateFailedError, InputError
from edgekd.extensions.registry import Registry
from edgekd.lower.backends.base import UnconvertibleError
from edgekd.lower.build import BuiltBundle, build, build_all
from edgekd.lower.plan import BuildRequest
from edgekd.policy import Policy, load_policy
from edgekd.targets import Target, load_target

AUTO = ("int8", "int8-mixed", "fp32")
LENIENT = load_policy(lenient.POLICY)
STRICT = msgspec.structs.replace(
    LENIENT,
    name="strict",
    critical={"df": 1.0},
    decision=msgspec.structs.replace(LENIENT.decision, refer_sensitivity=0.9),
)
"""No 20 images of df are among the validation images, so no band can be given for it."""


@pytest.fixture
def good() -> Target:
    """ONNX Runtime on any computer, in fp32 alone: quick, and it passes."""
    return msgspec.structs.replace(load_target("cpu-onnx"), ladder=("fp32",))


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return third_party.install(tmp_path / "third-party", monkeypatch)


def built(run: Path, out: Path, *targets: Target, policy: Policy = LENIENT) -> list[BuiltBundle]:
    return build_all(BuildRequest(run, targets, out, policy=policy))


QUICK = ("unlucky", "crashing", "unimportable", "unfit")
"""One of each kind: an error of the converter, its crash, and descriptors that are none."""
BEFALLS = {
    "unlucky": (2, "Unlucky's converter cannot convert the network: no lowering for torch.ops"),
    "crashing": (2, "crashing cannot convert the network: the process was ended by SIGSEGV"),
    "toolless": (3, "toolkit is not installed; it is needed to lower for the toolless"),
    "full": (2, "No space left on device"),
    "unimportable": (3, "backend unimportable of third-party-backends 1.0 does not import"),
    "unfit": (6, "of third-party-backends 1.0 is a type, which it cannot be"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "backends",
    [
        pytest.param(QUICK, id="quick"),
        pytest.param(tuple(BEFALLS), id="all", marks=pytest.mark.slow),
    ],
)
def test_what_befalls_one_target_ends_no_other(
    small_run: Path, good: Target, backends: tuple[str, ...], notes: Path, tmp_path: Path
) -> None:
    bad = [third_party.target_of(backend, good, *AUTO) for backend in backends]
    found = {one.target: one for one in built(small_run, tmp_path / "out", *bad, good)}
    assert set(found) == {*backends, "cpu-onnx"}
    assert found["cpu-onnx"].passed
    for backend in backends:
        exit_code, said = BEFALLS[backend]
        error = found[backend].error
        assert error is not None
        assert (error.exit_code, found[backend].path) == (exit_code, None)
        assert said in error.message
        assert error.hint
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cpu-onnx", "logs"}
    tried = notes.read_text().split()
    # The first precision says it for all; after a crash each is tried alone, and no mixed one.
    assert [one for one in tried if one.startswith("unlucky")] == ["unlucky/int8"]
    assert {one for one in tried if "mixed" in one} == set()
    assert sorted(one for one in tried if one.startswith("crashing"))[-2:] == [
        "crashing/int8", "crashing/int8",
    ]  # fmt: skip


@pytest.mark.slow
def test_network_that_cannot_be_converted_is_tried_once_for_all_mixed_rungs(
    small_run: Path, good: Target, notes: Path, tmp_path: Path
) -> None:
    targets = [third_party.target_of("unlucky", good, "int8-mixed")]
    request = BuildRequest(small_run, targets, tmp_path / "out", policy=LENIENT)
    with pytest.raises(UnconvertibleError, match=r"aten\.histc\.default") as caught:
        build(request)
    assert caught.value.exit_code == 2
    assert notes.read_text().split() == ["unlucky/int8-mixed"]


def test_decision_that_cannot_be_fitted_is_a_refusal(
    small_run: Path, good: Target, tmp_path: Path
) -> None:
    (bundle,) = built(small_run, tmp_path / "out", good, policy=STRICT)
    assert isinstance(bundle.error, GateFailedError)
    assert "answers cannot be as sensitive as asked" in bundle.error.message
    assert "ask for a lower refer_sensitivity" in bundle.error.hint
    (rung,) = bundle.rungs
    assert rung.gate is not None


def test_request_that_one_target_cannot_take_is_its_own_error(
    small_run: Path, good: Target, tmp_path: Path
) -> None:
    """fp16 is a precision of `cpu`, and none of `cpu-onnx`."""
    request = BuildRequest(
        small_run, [good, load_target("cpu")], tmp_path / "out", policy=LENIENT,
        precisions=("fp16",),
    )  # fmt: skip
    bundles = {bundle.target: bundle for bundle in build_all(request)}
    assert bundles["cpu"].passed
    assert isinstance(bundles["cpu-onnx"].error, InputError)
    assert "there is no fp16 for cpu-onnx" in bundles["cpu-onnx"].error.message


@pytest.fixture
def with_targets(
    notes: Path, good: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Let these be all the targets that there are, and one that cannot be loaded."""

    def only(*targets: Target) -> None:
        known = {target.name: target for target in targets}
        real = load_target
        registry = Registry("target", "edgekd.targets", dict.fromkeys(known, tmp_path))
        monkeypatch.setattr("edgekd.targets.TARGETS", registry)
        monkeypatch.setattr(
            "edgekd.targets.load_target", lambda name: known.get(name) or real(name)
        )

    return only


@pytest.mark.slow
def test_json_tells_every_target_and_stdout_has_nothing_else(
    small_run: Path,
    good: Target,
    with_targets: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from edgekd.cli import main

    bold = msgspec.structs.replace(good, name="bold", ladder=("int8",))
    with_targets(third_party.target_of("unlucky", good, "fp32"), bold, good)
    command = ["build", "--target", "all", "--model", str(small_run), "--out", str(tmp_path / "o")]
    command += ["--policy", str(lenient.POLICY), "--tighten", "max_flips=0"]  # int8 flips some
    assert main([*command, "--json"]) == 4  # a gate that failed goes before what is bad input
    told = capsys.readouterr()
    found = {one["target"]: one for one in json.loads(told.out)}
    assert {name: one["passed"] for name, one in found.items()} == {
        "unlucky": False, "bold": False, "cpu-onnx": True, "torn": False,
    }  # fmt: skip
    assert found["torn"]["error"]["exit_code"] == 3
    assert "No module named 'third_party_of_none'" in found["torn"]["error"]["message"]
    assert (found["unlucky"]["path"], found["unlucky"]["error"]["exit_code"]) == (None, 2)
    assert found["bold"]["error"]["exit_code"] == 4
    assert found["cpu-onnx"]["error"] is None
    assert "error: no file for bold passed its gate" in told.err
    assert "error: no bundle for unlucky: Unlucky's converter cannot convert" in told.err
    assert main(command) == 4
    told = capsys.readouterr()
    (line,) = told.out.splitlines()
    assert "cpu-onnx: fp32" in line
    assert told.err.count("error: ") == 3


def test_json_tells_of_a_gate_that_failed_alone(
    small_run: Path,
    good: Target,
    with_targets: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from edgekd.cli import main

    with_targets(good)
    command = ["--target", "cpu-onnx", "--model", str(small_run), "--out", str(tmp_path / "o")]
    command += ["--policy", str(lenient.POLICY), "--critical", "mel=0.001"]
    assert main(["build", *command, "--json"]) == 4
    (one,) = json.loads(capsys.readouterr().out)
    assert one["error"]["message"].startswith(
        "no file for cpu-onnx passed its gate; no certificate"
    )


@pytest.mark.parametrize("precisions", [("int8-mixed",), ("fp32",), ("int8-mixed", "fp32")])
def test_fine_tuning_that_no_bundle_has_a_rung_for_is_refused_before_any_work(
    precisions: tuple[str, ...], small_run: Path, good: Target, tmp_path: Path
) -> None:
    request = BuildRequest(
        small_run, [good], tmp_path / "out", policy=LENIENT, precisions=precisions,
        quantisation_aware=True,
    )  # fmt: skip
    with pytest.raises(InputError, match=r"--quantisation-aware trains .* for int8") as caught:
        build(request)
    assert "add int8 to --precision" in caught.value.hint
    assert not (tmp_path / "out").exists()


# ---- Ctrl-C ----


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system: SIGINT to one process")
def test_ctrl_c_ends_the_converters_at_once_and_leaves_the_old_bundle(
    small_run: Path, good: Target, notes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (bundle,) = built(small_run, out, msgspec.structs.replace(good, name="sleeping"))
    assert bundle.path is not None
    before = (bundle.path / "manifest.json").read_bytes()
    install_target(notes.parent, msgspec.structs.replace(good, name="sleeping", backend="sleeping"))
    command = ["build", "--target", "sleeping", "--model", str(small_run), "--out", str(out)]
    command += ["--policy", str(lenient.POLICY)]
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekd", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:  # until the converter is at work
            if "lowering" in line:
                break
        while not notes.is_file() or not notes.read_text():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)  # to it alone, as from another program
        told, said = process.communicate(timeout=120)  # the converter would take 600 s
    finally:
        process.kill()
    assert (process.returncode, told) == (130, "")
    assert said.splitlines()[-1] == "interrupted"
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(notes.read_text()), 0)
    assert (bundle.path / "manifest.json").read_bytes() == before
    Bundle.open(bundle.path).close()
    assert sorted(path.name for path in out.iterdir()) == ["logs", "sleeping"]


def install_target(home: Path, target: Target) -> None:
    """A distribution of its own beside the third party's, with an entry point for the target."""
    about = home / "one_target-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: one-target\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[edgekd.targets]\n{target.name} = one_target:FOLDER\n"
    )
    (home / "one_target.py").write_text(f"FOLDER = {str(home)!r}\n")
    values = msgspec.to_builtins(target).items()
    lines = [f"{key} = {json.dumps(value)}" for key, value in values if value is not None]
    (home / "target.toml").write_text("\n".join(lines) + "\n")
