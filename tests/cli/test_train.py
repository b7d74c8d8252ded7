"""`edgekd train`: which network is trained, by a recipe of some painted images."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.cli import main
from edgekd.models import load_checkpoint

RECIPE = """
name: tiny
image_size: 32
data: {{source: synthetic, images: 70, size: 32, seed: 1, root: {root}}}
split: {{validation: 0.25, test: 0.2}}
trainer: {{accelerator: cpu, precision: fp32, threads: 1}}
teacher:
  model: {{arch: resnet10t, options: {{channels: [4, 8, 8, 16], stem_width: 4}}}}
  fit: {{epochs: 1, batch_size: 16, learning_rate: 1.0e-3}}
student:
  model: {{arch: resnet10t, options: {{channels: [4, 4, 8, 8], stem_width: 4}}}}
  fit: {{epochs: 1, batch_size: 16, learning_rate: 1.0e-3}}
"""


@pytest.mark.parametrize(("flags", "role"), [([], "teacher"), (["--role", "student"], "student")])
def test_the_network_of_a_role_is_trained(
    flags: list[str], role: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = tmp_path / "tiny.yaml", tmp_path / "out"
    recipe.write_text(RECIPE.format(root=tmp_path / "data"))
    assert main(["train", str(recipe), "--out", str(out), *flags]) == 0
    card = load_checkpoint(out).card
    assert (card.role, card.training.method) == (role, "none")
    assert capsys.readouterr().err.splitlines()[-1] == f"wrote {out}"


def test_another_role_is_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "demo", "--out", str(tmp_path / "out"), "--role", "assistant"]) == 2
    assert "assistant" in capsys.readouterr().err
