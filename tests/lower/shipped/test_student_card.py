"""The card of a shipped student says what people ask before they use it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgekd.lower.shipped.student import read_student
from edgekd.lower.shipped.student_card import student_card


def test_the_card_has_data_method_metrics_licence_files_and_limits(students: Path) -> None:
    folder = students / "tiny-student"
    text, student = (folder / "card.md").read_text(), read_student(folder)
    card = student.card
    for heading in ("Use", "Licence", "Data", "Training", "Limits"):
        assert f"## {heading}" in text
    assert text.startswith("# tiny-student\n")
    assert card.data.licence in text
    assert f"Cite: {card.data.citation}" in text
    assert f"Method {card.training.method}" in text
    assert f"{card.data.images['train']} train" in text
    assert "stored as float32" in text
    entry = student.certificates["cpu-onnx"].files["model.onnx"]
    assert f"| cpu-onnx | int8 | {entry.size / 1e6:.2f} |" in text
    assert entry.sha256[:12] in text
    assert "| test |" in text
    assert "| teacher, validation |" in text
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert next(row for row in rows if row in card.classes) == "mel"  # as the policy's words say


def test_a_student_without_citation_test_part_or_teacher(students: Path, tmp_path: Path) -> None:
    student = read_student(students / "tiny-student")
    data = msgspec.structs.replace(student.card.data, licence="", citation="")
    card = msgspec.structs.replace(student.card, data=data)
    (tmp_path / "metrics.json").write_text("{}")
    weights = (students / "tiny-student" / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights)
    text = student_card("bare", tmp_path, card, student.certificates)
    assert "licence unknown" in text
    assert "Cite" not in text
