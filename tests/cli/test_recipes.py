"""A recipe's typos are reported before torch is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TYPOS = [
    ["train", "demo", "--set", "method.name=ssdkd"],
    ["distill", "demo", "--set", "method.name=ssdkd"],
    ["compare", "demo", "--set", "method.name=ssdkd"],
    ["distill", "demo", "--set", "data.source=foldr"],
    ["distill", "demo", "--set", "data.imagess=3"],
    ["distill", "demo", "--set", "student.fit.epoch=3"],
    ["train", "dmo"],
    ["compare", "demo", "--seeds", "1,1"],
    ["compare", "demo", "--folds", "1"],
]


@pytest.mark.parametrize("words", TYPOS, ids=" ".join)
def test_a_typo_is_told_before_torch_is_imported(words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import json, sys; from edgekd.cli import main; code = main(sys.argv[1:]);"
        "print(json.dumps([code, sorted({'torch', 'lightning', 'timm'} & set(sys.modules))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--out", str(out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout) == [2, []], done.stderr
    assert not out.exists()
    assert len(done.stderr.splitlines()) == 2
