from __future__ import annotations

from typing import Any

from manifests import make_manifest
from manifests_of_bom import whole_manifest

from edgekd.dossier.bom.model_card import model_card


def metric(card: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [
        each for each in card["quantitativeAnalysis"]["performanceMetrics"] if each["type"] == kind
    ]
    return dict(found)


def test_metrics_have_part_class_and_interval() -> None:
    card = model_card(whole_manifest())
    assert metric(card, "balanced accuracy") == {
        "type": "balanced accuracy", "value": "0.7000", "slice": "validation part",
        "confidenceInterval": {"lowerBound": "0.6000", "upperBound": "0.8000"},
    }  # fmt: skip
    assert "confidenceInterval" not in metric(card, "ece")
    assert metric(card, "bits")["value"] == "1.5000"
    assert metric(card, "sensitivity")["slice"] == "validation part, class mel, 40 images"
    assert metric(card, "missed")["slice"] == "validation part, decisions, class mel, 40 images"


def test_critical_classes_with_what_lowering_cost_them() -> None:
    risks = model_card(whole_manifest())["considerations"]["ethicalConsiderations"]
    assert [each["name"] for each in risks] == ["critical class mel", "critical class bcc"]
    assert risks[0]["mitigationStrategy"] == (
        "a lowered file may lose at most 5 points of its sensitivity; this one lost 2.5, at most "
        "4.9 at 95 %, on 40 images"
    )
    assert "this one lost" not in risks[1]["mitigationStrategy"]  # there was no image of it


def test_limits_and_tradeoffs() -> None:
    considerations = model_card(whole_manifest())["considerations"]
    limits = considerations["technicalLimitations"]
    assert limits[0] == "Judged on 100 images."
    assert limits[1].startswith("share of mel that is noticed is 0.800; the value does not reach")
    lowering, teacher = considerations["performanceTradeoffs"]
    assert "balanced accuracy -0.010, 2.0% of the answers changed" in lowering
    assert "not shown either way" in teacher


def test_a_bundle_that_says_little() -> None:
    card = model_card(make_manifest())
    assert card["considerations"] == {}
    assert card["quantitativeAnalysis"]["performanceMetrics"] == []
    assert card["modelParameters"]["task"] == "classification"
