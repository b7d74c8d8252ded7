"""The report of a change, as text and as values."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from manifests import make_manifest
from scripted import answered, data_of, validation_of
from tiny_bundles import write_tiny_bundle

from edgekd.bundle import Bundle, FileEntry, Lineage
from edgekd.dossier.change.figures import paired_figures
from edgekd.dossier.change.plan import ChangePlan, PlannedMargin
from edgekd.dossier.change.report import ComparedBundle, Comparison

PLAN = ChangePlan(
    name="seeds",
    may_change=["method"],
    margins=[PlannedMargin(figure="sensitivity", of="mel", worse=0.5)],
)
ESTIMATE = {"value": 0.8, "low": 0.7, "high": 0.9}


def bundle(seed: int, data: str = "d") -> ComparedBundle:
    manifest = make_manifest(
        lineage=Lineage(method="kd", seed=seed, data_sha256=data),
        files={"model.onnx": FileEntry(sha256=f"{seed}", size=1)},
        metrics={"artefact": {"balanced_accuracy": ESTIMATE}},
    )
    return ComparedBundle(f"bundle|{seed}", f"{seed}" * 64, manifest)


def compared(plan: ChangePlan | None, *, data: str = "d", images: bool = True) -> Comparison:
    validation, figures = None, []
    if images:
        table = data_of(["mel"] * 30 + ["nv"] * 30)
        models = [answered(table, table.bench.labels, ["answer"] * 60, name=n) for n in "ab"]
        validation = validation_of(table, *models)
        figures = paired_figures(validation)
    return Comparison.of(bundle(1), bundle(2, data), plan, validation, figures)


def test_within_the_plan() -> None:
    text = compared(PLAN).markdown()
    assert "## Verdict: within the plan seeds" in text
    assert "| method | lineage.seed | 1 | 2 | allowed |" in text
    assert "| sensitivity of mel | 30 | 100.0 | 100.0 | +0.0 (" in text
    assert "bundle\\|1" in text


def test_outside_of_it() -> None:
    text = compared(PLAN, data="e").markdown()
    assert "## Verdict: **outside of** the plan seeds" in text
    assert "| data | lineage.data\\_sha256 | d | e | **not allowed** |" in text


def test_without_images_figures_stand_unpaired() -> None:
    comparison = compared(PLAN, images=False)
    assert comparison.verdict is not None
    assert not comparison.verdict.within
    text = comparison.markdown()
    assert "are not paired and decide nothing" in text
    assert "| balanced accuracy | 0.800 [0.700, 0.900] | 0.800 [0.700, 0.900] |" in text


def test_without_a_plan_there_is_no_verdict() -> None:
    comparison = compared(None)
    assert "no verdict" in comparison.markdown()
    assert comparison.values()["verdict"] is None


def test_values_are_plain() -> None:
    values = json.loads(msgspec.json.encode(compared(PLAN).values()))
    assert values["verdict"]["within"] is True
    assert values["changes"][0]["field"] == "lineage.seed"
    assert values["figures"][0]["difference"]["value"] == 0.0


def test_an_opened_bundle(tmp_path: Path) -> None:
    with Bundle.open(write_tiny_bundle(tmp_path / "b")) as opened:
        compared_bundle = ComparedBundle.of(opened)
    assert compared_bundle.sha256 == opened.sha256
    assert compared_bundle.label.endswith("b")
