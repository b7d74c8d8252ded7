"""An export of the ISIC Archive, made small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekd.data import load_dataset
from edgekd.errors import InputError

TABLE = """\
isic_id,attribution,copyright_license,age_approx,anatom_site_general,diagnosis_1,image_type,lesion_id,patient_id,sex
ISIC_0000001,Clinic A,CC-0,45,anterior torso,Benign,dermoscopic,IL_1,IP_1,male
ISIC_0000002,Clinic A,CC-BY-NC,45,lower extremity,Malignant,dermoscopic,IL_2,IP_1,male
ISIC_0000003,"Clinic B, Vienna",CC-0,60,,Benign,dermoscopic,IL_3,,female
ISIC_0000004,Clinic A,CC-0,,head/neck,Benign,clinical: overview,IL_3,,female
ISIC_0000005,Clinic A,CC-0,,head/neck,,dermoscopic,,,female
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    root = tmp_path / "collection"
    root.mkdir()
    (root / "metadata.csv").write_text(TABLE)
    for number in range(1, 6):
        (root / f"ISIC_000000{number}.jpg").write_bytes(b"")
    return root


def section(export: Path, **keys: Any) -> dict[str, Any]:
    return {"source": "isic_archive", "root": str(export), "label_column": "diagnosis_1", **keys}


def test_labels_groups_attributes_and_licences(export: Path) -> None:
    dataset = load_dataset(section(export, drop=[""], label_map={"Malignant": "mal"}))
    assert dataset.classes == ("Benign", "mal")
    assert [sample.group for sample in dataset.samples] == ["IP_1", "IP_1", "IL_3", "IL_3"]
    assert dataset.samples[2].attributes == {
        "age_approx": "60", "sex": "female", "anatom_site_general": "unknown",
    }  # fmt: skip
    assert dataset.licence == "CC-0, CC-BY-NC"
    assert dataset.citation == "Clinic A, Clinic B, Vienna"


def test_rows_are_left_out_by_a_column(export: Path) -> None:
    drop = {"image_type": ["clinical: overview"], "diagnosis_1": [""]}
    assert len(load_dataset(section(export, drop=drop)).samples) == 3


def test_a_row_without_a_label_is_named(export: Path) -> None:
    with pytest.raises(InputError, match=r"line 6 of .* has no label"):
        load_dataset(section(export))


def test_a_folder_that_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not look like an export of the ISIC Archive"):
        load_dataset(section(tmp_path))
