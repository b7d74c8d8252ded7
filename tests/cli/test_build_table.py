"""What a build shows, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import lenient
import msgspec
from manifests import make_manifest

from edgekd.bundle import Certificate, ClassChange, GateRecord, Rung
from edgekd.cli.build_table import _LiveTable, summary_of
from edgekd.lower.build import BuiltBundle
from edgekd.lower.progress import LineReporter, verdict_of


def change(drop: float) -> ClassChange:
    return ClassChange(
        images=100, lost=5, gained=1, drop=drop, drop_high=drop + 0.03, critical=False, limit=0.05
    )


GATE = GateRecord(
    passed=True,
    reasons=(),
    images=900,
    max_logit_difference=0.2,
    flips=0.011,
    balanced_accuracy=0.61,
    balanced_accuracy_drop=0.004,
    balanced_accuracy_drop_high=0.02,
    per_class={"mel": change(0.01), "df": change(0.04), "nv": change(-0.02)},
    limits={},
    runtime={},
)
REFUSED = msgspec.structs.replace(GATE, passed=False, reasons=("too many flips", "df drops"))


def rung(**changes: object) -> Rung:
    plain = Rung(precision="int8", chosen=False, size_bytes=2_400_000, gate=GATE)
    return msgspec.structs.replace(plain, **changes)


def test_verdicts() -> None:
    assert verdict_of(rung(chosen=True)) == "taken"
    assert verdict_of(rung(notes=("slow",))) == "passed (slow)"
    assert verdict_of(rung(gate=REFUSED)) == "refused: too many flips; df drops"
    assert verdict_of(rung(gate=None, failure="no such operator")) == "failed: no such operator"


def test_lines_tell_each_rung_once_it_is_judged() -> None:
    said: list[str] = []
    lines = LineReporter(said.append)
    lines.line("openvino: a concern")
    for state in ("waiting", "lowering", "running 0/900", "running 50/900", "ran"):
        lines.state("openvino", "int8", state)
    lines.rung("cpu", rung(gate=REFUSED))
    assert said == [
        "openvino: a concern",
        "openvino int8: waiting",
        "openvino int8: lowering",
        "openvino int8: running",
        "openvino int8: ran",
        "cpu: int8, 2.40 MB, balanced accuracy 0.610 (-0.004), flips 1.1%, largest logit "
        "difference 0.2: refused: too many flips; df drops",
    ]


def test_a_refused_bundle_says_so_in_its_line() -> None:
    assert summary_of(BuiltBundle("rpi", "rpi", None, None, ())) == "rpi: no file passed its gate"


def test_rows_stand_in_the_ladders_order_whenever_they_come() -> None:
    table = _LiveTable()
    mixed = rung(precision="int8-mixed", float_layers=("a", "b"))
    for bundle, one in (
        ("rpi", rung(precision="fp32")), ("cpu", rung()), ("rpi", rung()), ("rpi", mixed),
    ):  # fmt: skip
        table.rung(bundle, one)
    shown = table._table()
    rows = list(zip(shown.columns[0].cells, shown.columns[1].cells, strict=True))
    assert rows == [("cpu", "int8"), ("rpi", "int8"), ("rpi", "int8-mixed-2"), ("rpi", "fp32")]


def on_a_terminal(command: list[str]) -> str:
    """What a command shows on a terminal of 160 columns; stdout is the terminal's too."""
    master, slave = pty.openpty()
    environment = os.environ | {"COLUMNS": "160", "TERM": "xterm"}
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.wait() == 0, shown.decode(errors="replace")
    os.close(master)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))


def test_a_living_table_on_a_terminal(small_run: Path, tmp_path: Path) -> None:
    shown = on_a_terminal(
        [
            sys.executable, "-m", "edgekd", "build", "--policy", str(lenient.POLICY), "--target",
            "cpu-onnx", "--precision", "fp32", "--model", str(small_run), "--out",
            str(tmp_path),
        ]
    )  # fmt: skip
    for column in ("file", "rung", "MB", "BACC", "worst class", "flips", "verdict"):
        assert column in shown
    assert re.search(r"cpu-onnx-fp32 +fp32 +\d\.\d\d +\d\d\.\d .* 0\.0% .* taken", shown)
    assert "cpu-onnx-fp32: fp32" in shown.splitlines()[-1]


def built(**changes: object) -> BuiltBundle:
    chosen = rung(chosen=True, **changes)
    artefact = {"balanced_accuracy": {"value": 0.61, "low": None, "high": None}}
    certificate = Certificate(student="tiny", certified=chosen.gate is not None)
    manifest = make_manifest(metrics={"artefact": artefact}, certificate=certificate)
    return BuiltBundle("cpu", "cpu", Path("out/cpu"), manifest, (chosen,))


def test_a_bundle_of_a_shipped_student_says_whether_it_is_certified() -> None:
    assert summary_of(built()).endswith("flips 1.1%; certified with tiny")
    uncertified = built(gate=None, failure="not certified: another file")
    assert summary_of(uncertified) == "out/cpu: int8, 2.40 MB, not certified: another file"
