"""Small DICOM files, as a dermatoscope's archive would store them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

__all__ = ["write_dicom"]


def write_dicom(
    file: Path, *, pixels: bool = True, level: int = 100, diagnosis: str = "", **tags: Any
) -> Path:
    """A file with an RGB image of one grey level; `diagnosis` goes into a code sequence."""
    pydicom = pytest.importorskip("pydicom", reason="pip install 'edgekd[dicom]'")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    for name, value in tags.items():
        setattr(dataset, name, value)
    if diagnosis:
        code = pydicom.Dataset()
        code.CodeMeaning = diagnosis
        dataset.AdmittingDiagnosesCodeSequence = pydicom.Sequence([code])
    if pixels:
        dataset.Rows = dataset.Columns = 16
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation, dataset.PlanarConfiguration = 7, 0, 0
        dataset.PixelData = np.full((16, 16, 3), level, np.uint8).tobytes()
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file, enforce_file_format=True)
    return file
