from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from archives import SHA256
from pydicom.dataset import Dataset

from edgekd.errors import MissingDependencyError
from edgekd.runtime.export import Coding, DeviceIdentity
from edgekd.runtime.export.equipment import concept, equipment_of, mark_device, require_highdicom

pytest.importorskip("highdicom", reason="needs pip install 'edgekd[clinical]'")


def test_codes_fit_into_dicom() -> None:
    coding = Coding("urn:edgekd:vocabulary", "a\\b" + "c" * 30, "d\\" + "e" * 80, "1")
    written = concept(coding)
    assert written.LongCodeValue == "a/b" + "c" * 30  # a backslash would make two values of it
    assert written.CodeMeaning == "d/" + "e" * 62
    assert written.CodingSchemeDesignator == "99EDGEKD"


def test_equipment_is_the_bundle(device: DeviceIdentity) -> None:
    equipment = equipment_of(device)
    assert equipment["device_serial_number"] == SHA256
    assert equipment["manufacturer"] == "edgekd"
    assert equipment_of(replace(device, manufacturer="Clinic"))["manufacturer"] == "Clinic"
    assert len(equipment_of(replace(device, name="n" * 80))["manufacturer_model_name"]) == 64


def test_a_device_identifier_is_left_open(device: DeviceIdentity) -> None:
    dataset = Dataset()
    mark_device(dataset, device)
    assert "UDISequence" not in dataset
    mark_device(dataset, replace(device, udi="(01)04711"))
    assert dataset.UDISequence[0].UniqueDeviceIdentifier == "(01)04711"


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(MissingDependencyError, match="highdicom is not installed") as caught:
        require_highdicom()
    assert caught.value.hint == "pip install 'edgekd[clinical]'"
