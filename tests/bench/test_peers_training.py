"""`benchmarks/peers/training.py`: ratios, aims, tables and the check of the losses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"


@pytest.fixture
def peers(monkeypatch):
    """Imports a module of `benchmarks/peers`."""
    monkeypatch.syspath_prepend(str(PEERS))
    yield __import__
    for path in PEERS.glob("*.py"):
        sys.modules.pop(path.stem, None)


def _answer(seconds: float, **more: float) -> dict[str, float]:
    return {"seconds": seconds, "processor": seconds / 2, "waited": seconds / 100, **more}


def _summary(peers, times):
    module = peers("training_summary")
    return module.summary_of(times, lambda one: one["seconds"], lambda one: one["processor"])


def test_a_slow_turn_hits_both_sides_of_a_ratio(peers):
    times = {
        "torchdistill fp32": [[_answer(3.0), _answer(30.0)], [_answer(3.0), _answer(3.0)]],
        "edgekd fp32": [[_answer(2.0), _answer(20.0)], [_answer(2.0), _answer(2.0)]],
    }
    found = _summary(peers, times)["edgekd fp32"]
    ratio = found["of_torchdistill"]
    assert (ratio.mean, ratio.low, ratio.high) == (pytest.approx(1.5),) * 3
    assert found["of_torchdistill_processor"].mean == pytest.approx(1.5)
    assert found["of_loop"] is None  # it did not take part
    assert found["waiting"] == pytest.approx(0.01)
    assert found["gpu_idle"] is None


def test_the_interval_is_students_over_the_rounds(peers):
    ratio = peers("training_summary").Ratio
    assert ratio.of([1.5]) == ratio(pytest.approx(1.5), None, None)
    found = ratio.of([1.0, 4.0])
    # Mean of the logarithms ln 2, standard error ln 2; t of one degree of freedom is 12.706.
    assert found.mean == pytest.approx(2.0)
    assert found.high == pytest.approx(2 * 2**12.706, rel=1e-3)
    assert found.low * found.high == pytest.approx(4.0)


def test_aims_are_met_by_what_was_measured(peers):
    module = peers("training_summary")

    def row(ratio: float, waiting: float) -> dict[str, object]:
        measured = module.Ratio(ratio, ratio - 0.5, ratio + 0.5)
        return {"of_torchdistill": measured, "waiting": waiting, "gpu_idle": 0.2}

    rows = {"edgekd fp32": row(1.4, 0.03), "edgekd bf16": row(1.5, 0.01)}
    met = {aim.what: aim.met for aim in module.aims_of(rows, rows, "cpu")}
    assert met["edgekd fp32: times torchdistill fp32, whole epoch"] is True
    assert met["edgekd bf16: times torchdistill fp32, whole epoch"] is False
    assert met["edgekd fp32, cached teacher: times torchdistill fp32, step"] is None
    assert met["edgekd fp32: share of the epoch spent waiting"] is False
    assert met["edgekd bf16: share of the epoch spent waiting"] is True
    on_gpu = {aim.what: aim.met for aim in module.aims_of(rows, rows, "cuda")}
    assert on_gpu["edgekd fp32: times torchdistill fp32, whole epoch"] is False
    assert on_gpu["edgekd fp32: GPU idle"] is False


def test_losses_are_compared_relatively_to_the_first_contestants(peers):
    agreeing = peers("training_passes").agreeing
    assert agreeing([0.5, 2.0], [0.5, 2.0001], "fp32").equal
    checked = agreeing([0.5, 2.0], [0.5, 2.1], "fp32")
    assert checked.difference == pytest.approx(0.1 / 2.1)
    assert not checked.equal


def test_only_whole_readings_of_the_gpu_count(peers):
    idle_share = peers("training_gpu").idle_share
    assert idle_share("80\n100\n9") == pytest.approx(0.1)  # the last line was cut off
    assert idle_share("[N/A]\n") is None


def test_edgekds_recipe_is_the_others_setting(peers, tmp_path):
    subject = peers("training_subject")
    setting = subject.Setting(batch=8, temperature=2.0, weight=0.25)
    made = subject.Subject(setting, tmp_path, 7, {})
    options = {"epochs": 3, "precision": "fp32", "threads": 1, "device": "cpu", "teacher": {}}
    recipe, spec = made.recipe(mode="epoch", **options), made.spec("epoch")
    fit, method = recipe["student"]["fit"], recipe["method"]
    assert (fit["batch_size"], fit["learning_rate"]) == (spec["batch"], spec["rate"])
    assert (method["temperature"], method["weight"]) == (spec["temperature"], spec["weight"])
    assert recipe["augment"]["colour"] == spec["colour"]
    assert made.recipe(mode="step", **options)["augment"]["colour"] == 0
    assert made.recipe(mode="check", **options)["student"]["fit"]["learning_rate"] < 1e-5


def test_contestants_that_do_not_fit_into_memory_are_refused(peers, tmp_path):
    from edgekd.errors import InputError

    module, meminfo = peers("training"), tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000000 kB\nMemAvailable: 3000000 kB\n")
    available = peers("reports").available_bytes(meminfo)
    assert available == 3_072_000_000
    module._refuse_little_memory(2, available)
    with pytest.raises(InputError, match="3 contestants need about 4 GB"):
        module._refuse_little_memory(3, available)
    module._refuse_little_memory(3, peers("reports").available_bytes(tmp_path / "none"))


@pytest.mark.slow
def test_edgekd_beside_the_loop(tmp_path: Path) -> None:
    out, table = tmp_path / "out.json", tmp_path / "out.md"
    command = [
        sys.executable, str(PEERS / "training.py"), "--quick", "--here", "--images", "80",
        "--size", "32", "--batch", "16", "--only", "loop fp32", "edgekd fp32", "torchdistill fp32",
        "--json", str(out), "--markdown", str(table),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert list(result["missing"]) == ["torchdistill fp32"]  # it is not in this environment
    assert result["losses"]["loop fp32"]["difference"] < 1e-4
    for cells in result["summary"].values():
        assert cells["loop fp32"]["of_loop"]["mean"] == 1
        assert cells["edgekd fp32"]["of_loop"]["mean"] > 0  # how much, no busy machine can tell
    assert "**torchdistill fp32 is not in the tables**" in table.read_text()
