"""Engines by torch-tensorrt, from programs whose Q/DQ pairs have to arrive.

Most of it runs by `make torchtrt`, in an environment of its own and under a stand-in for the GPU
(`cudaless`): torch-tensorrt and the builder are the real ones, only loading the engine is left out.
It shows that a network is translated, typed and built, and nothing about its speed.
"""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch_tensorrt_environment import torch_tensorrt_python

onnx = pytest.importorskip("onnx")

from colour_networks import mean_colour  # noqa: E402
from engine_standin import install  # noqa: E402
from lint_models import good_model, save  # noqa: E402
from unfinished_bundles import make_bundle  # noqa: E402

from edgekd.bundle import Bundle  # noqa: E402
from edgekd.errors import DeviceUnreachableError, MissingDependencyError  # noqa: E402
from edgekd.files import sha256_of  # noqa: E402
from edgekd.lower.backends.tensorrt.compiled import (  # noqa: E402
    compile_engine,
    pair,
    with_pair_operators,
)
from edgekd.lower.backends.tensorrt.job import ENGINE, EngineJob, EngineResult  # noqa: E402
from edgekd.lower.backends.tensorrt.program import (  # noqa: E402
    pairs_of,
    program_of,
    save_program,
)
from edgekd.runtime.sessions.tensorrt.sidecar import EngineSidecar, sidecar_name  # noqa: E402

HERE = Path(__file__).parent
JOB = "edgekd.lower.backends.tensorrt.job"
FAMILIES = ("resnet10t", "mobilenetv2_050", "tf_mobilenetv3_small_minimal_100",
            "efficientnet_lite0")  # fmt: skip
PRECISIONS = ("fp32", "fp16", "int8")
SIZE, CLASSES = 64, 7  # as `lowered_student` makes them


# ---- without torch-tensorrt ----


def quantised_program(lowered: Any) -> Any:
    return program_of(lowered("tensorrt", "int8") / "model.onnx")


def pair_operators(graph: Any) -> int:
    return sum(node.target is torch.ops.edgekd.pair.default for node in graph.nodes)


def test_pairs_become_operators_that_compute_the_same(lowered: Any, student: Any) -> None:
    image = torch.from_numpy(student.images[:1])
    with torch.no_grad():
        expected = quantised_program(lowered).module()(image)
        program = with_pair_operators(quantised_program(lowered))
        assert pairs_of(program) == 0
        assert pair_operators(program.graph) == pairs_of(quantised_program(lowered)) > 10
        assert torch.equal(program.module()(image), expected)


def test_pairs_of_weights_are_not_computed_beforehand(lowered: Any) -> None:
    """Folded, the weights would be float, and so would the layers."""
    from torch._inductor.constant_folding import constant_fold

    program = with_pair_operators(quantised_program(lowered)).run_decompositions()
    module = program.module()
    count = pair_operators(module.graph)
    assert count == pairs_of(quantised_program(lowered))
    constant_fold(module)
    assert pair_operators(module.graph) == count


@pytest.mark.parametrize("scales", [[0.1], [0.1, 0.2, 0.5]])
def test_a_pair_rounds_to_multiples_of_its_scale(scales: list[float]) -> None:
    features = torch.linspace(-30, 30, 3 * 7).reshape(7, 3).contiguous()
    result = pair(features, scales, 1)
    scale = torch.tensor(scales)
    expected = (features / scale).round().clamp(-128, 127) * scale
    torch.testing.assert_close(result, expected)


@pytest.mark.skipif(find_spec("torch_tensorrt") is not None, reason="torch-tensorrt is installed")
def test_torch_tensorrt_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match="torch-tensorrt is not installed") as caught:
        compile_engine(tmp_path / "model.pt2", tmp_path / ENGINE)
    assert "pip install 'edgekd[torch-tensorrt]'" in caught.value.hint


def test_torch_tensorrt_that_cannot_be_loaded_speaks_of_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch_tensorrt.py").write_text("raise RuntimeError('no driver')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DeviceUnreachableError, match="cannot be loaded: no driver") as caught:
        compile_engine(tmp_path / "model.pt2", tmp_path / ENGINE)
    assert "nvidia-smi" in caught.value.hint
    assert caught.value.exit_code == 5


@pytest.mark.skipif(find_spec("torch_tensorrt") is not None, reason="torch-tensorrt is installed")
def test_a_board_without_torch_tensorrt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgekd.cli import main

    bundle = make_bundle(tmp_path, program=b"a program")
    assert main(["build", "--on-device", str(bundle), "--via", "torch-tensorrt"]) == 3
    assert "pip install 'edgekd[torch-tensorrt]'" in capsys.readouterr().err
    assert not (bundle / ENGINE).exists()


def test_a_bundle_without_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgekd.cli import main

    bundle = make_bundle(tmp_path)
    assert main(["build", "--on-device", str(bundle), "--via", "torch-tensorrt"]) == 2
    told = capsys.readouterr().err
    assert "has no model.pt2 for torch-tensorrt to build from" in told
    assert "build it on the host with --via torch-tensorrt" in told


def test_a_library_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgekd.cli import main

    assert main(["build", "--on-device", str(make_bundle(tmp_path)), "--via", "tvm"]) == 2
    told = capsys.readouterr().err
    assert "TensorRT builds nothing via 'tvm'" in told
    assert "--via is one of: onnx-parser, torch-tensorrt" in told


# ---- torch-tensorrt itself ----


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter with torch-tensorrt, whose engine jobs need no GPU."""
    monkeypatch.setenv("PYTHONPATH", str(HERE / "cudaless"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return torch_tensorrt_python()


def job_of(file: Path, folder: Path, program: Any = None) -> EngineJob:
    """The job that builds an ONNX file via its program."""
    folder.mkdir(parents=True, exist_ok=True)
    save_program(program or program_of(file), folder / "model.pt2")
    return EngineJob(
        out=str(folder), onnx=str(file), program=str(folder / "model.pt2"), library="tensorrt-rtx",
        capabilities=("SM86",), tf32=False,
    )  # fmt: skip


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


JOBS = """
    import sys
    from pathlib import Path
    import msgspec
    from edgekd.lower.backends.tensorrt.job import EngineJob, run_job
    for file in sys.argv[1:]:
        run_job(msgspec.json.decode(Path(file).read_bytes(), type=EngineJob))
"""


@pytest.fixture
def engines(
    python: Path,
    lowered_student: Callable[[str, str], Path],
    made_once: Callable[[str, Callable[[Path], None]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Path]:
    """Folder with the engines of a family's precisions, and with notes of their networks.

    One process builds the three, since loading torch-tensorrt takes longest.
    """

    def make(arch: str, folder: Path) -> None:
        files = []
        for precision in PRECISIONS:
            job = job_of(lowered_student(arch, precision), folder / precision)
            files.append(folder / precision / "job.json")
            files[-1].write_bytes(msgspec.json.encode(job))
        (folder / "notes").mkdir()
        monkeypatch.setenv("CUDALESS_NOTES", str(folder / "notes"))
        done = run(str(python), "-c", textwrap.dedent(JOBS), *map(str, files))
        assert done.returncode == 0, done.stderr[-3000:]

    return lambda arch: made_once(f"torchtrt-{arch}", lambda folder: make(arch, folder))


def kinds(notes: dict[str, Any]) -> Counter[str]:
    return Counter(layer["kind"] for layer in notes["layers"])


def weighted(notes: dict[str, Any]) -> list[dict[str, Any]]:
    return [layer for layer in notes["layers"] if layer["kind"] == "CONVOLUTION"]


def pairs_in(file: Path) -> int:
    return sum(node.op_type == "DequantizeLinear" for node in onnx.load(file).graph.node)


@pytest.mark.torchtrt
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("arch", FAMILIES)
def test_students_become_engines(
    arch: str,
    precision: str,
    engines: Callable[[str], Path],
    lowered_student: Callable[[str, str], Path],
) -> None:
    folder, file = engines(arch), lowered_student(arch, precision)
    assert (folder / precision / ENGINE).stat().st_size > 50_000
    number = PRECISIONS.index(precision)
    notes = json.loads((folder / "notes" / f"{number}.json").read_text())
    assert notes["inputs"] == [[[1, SIZE, SIZE, 3], "UINT8"]]
    assert notes["outputs"] == [[[1, CLASSES], "FLOAT"]]
    count = kinds(notes)
    assert count["QUANTIZE"] == count["DEQUANTIZE"] == pairs_in(file)
    assert (count["QUANTIZE"] > 20) == (precision == "int8")
    layers = weighted(notes)
    assert len(layers) == sum(node.op_type == "Conv" for node in onnx.load(file).graph.node) > 8
    assert {layer["type"] for layer in layers} == {"HALF" if precision == "fp16" else "FLOAT"}
    if precision == "int8":  # each convolution reads a pair and has a pair's weights
        assert [layer["from"][:2] for layer in layers] == [["DEQUANTIZE"] * 2] * len(layers)


@pytest.mark.torchtrt
def test_the_sidecar_says_by_what_the_engine_was_built(python: Path, tmp_path: Path) -> None:
    """Also: the engine's own process, as a board starts it."""
    file = save(good_model(), tmp_path)
    (tmp_path / "job.json").write_bytes(msgspec.json.encode(job_of(file, tmp_path / "out")))
    done = run(str(python), "-m", JOB, str(tmp_path / "job.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    engine = tmp_path / "out" / ENGINE
    sidecar = msgspec.json.decode(
        engine.with_name(sidecar_name(ENGINE)).read_bytes(), type=EngineSidecar
    )
    result = msgspec.json.decode((tmp_path / "out" / "result.json").read_bytes(), type=EngineResult)
    assert sidecar.via == "torch-tensorrt"
    assert sidecar.engine_sha256 == sha256_of(engine)
    assert sidecar.onnx_sha256 == sha256_of(file)
    assert sidecar.program_sha256 == sha256_of(tmp_path / "out" / "model.pt2")
    assert sidecar.versions == result.versions
    assert sidecar.versions.keys() == {"torch-tensorrt-rtx", "torch", "tensorrt"}
    assert sidecar.versions["torch-tensorrt-rtx"] == "2.14.0"
    assert sidecar.environment.tensorrt == f"RTX {sidecar.versions['tensorrt']}"
    assert sidecar.flags["tf32"] is False
    assert sidecar.flags["workspace_bytes"] > 0


@pytest.mark.torchtrt
def test_a_network_that_torch_tensorrt_does_not_build(python: Path, tmp_path: Path) -> None:
    class Unusual(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(image.to(torch.float32).mean(3))

    program = torch.export.export(Unusual(), (torch.zeros(1, 8, 8, 3, dtype=torch.uint8),))
    job = job_of(save(good_model(), tmp_path), tmp_path / "out", program)
    (tmp_path / "job.json").write_bytes(msgspec.json.encode(job))
    done = run(str(python), "-m", JOB, str(tmp_path / "job.json"))
    assert done.returncode == 1
    assert "edgekd-error: torch-tensorrt could not build model.pt2: " in done.stdout
    assert "edgekd-hint: leave --via out to build it from ONNX" in done.stdout
    assert not (tmp_path / "out" / ENGINE).exists()


FINISH = """
    import sys
    from pathlib import Path
    from edgekd.lower.backends.tensorrt.finish import Toolchain, finish_on_device
    toolchain = Toolchain(
        library="tensorrt-rtx", capabilities=("SM86",), session="standin", via="torch-tensorrt"
    )
    finish_on_device(Path(sys.argv[1]), lambda line: print(line, flush=True), toolchain=toolchain)
"""


@pytest.mark.torchtrt
def test_a_bundle_is_finished_via_torch_tensorrt(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same self-test, gate and manifest; ONNX Runtime answers in the place of the GPU."""
    onnx_file = tmp_path / "answering.onnx"
    onnx_file.write_bytes(mean_colour())
    save_program(program_of(onnx_file), tmp_path / "model.pt2")
    bundle = make_bundle(tmp_path, program=(tmp_path / "model.pt2").read_bytes())
    install(tmp_path / "standin", onnx_file, monkeypatch)
    folders = (str(tmp_path / "standin"), str(HERE / "cudaless"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))
    done = run(str(python), "-c", textwrap.dedent(FINISH), str(bundle))
    assert done.returncode == 0, done.stderr
    assert "torch-tensorrt converts and builds the program" in done.stdout
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
    assert (manifest.lowering.completion, manifest.model_file) == ("complete", ENGINE)
    engine = manifest.lowering.engine
    assert engine is not None
    assert (engine.via, engine.gate.passed) == ("torch-tensorrt", True)
    assert {"model.pt2", "model.onnx", ENGINE} < set(manifest.files)
    assert {"torch-tensorrt-rtx", "torch"} <= manifest.lowering.tools.keys()
    assert "Built via torch-tensorrt in" in (bundle / "card.md").read_text()
