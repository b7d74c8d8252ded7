"""DICOM files written by pydicom, with a patient in them who must not be quoted."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from jpegs import Image, encode, make_image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    VLPhotographicImageStorage,
)

PATIENT = "Rumpelstilz^Ferdinand"
WIDTH, HEIGHT = 40, 32
PHOTO = make_image(WIDTH, HEIGHT)


def dicom(
    frame: bytes | Image,
    photometric: str = "RGB",
    syntax: str = ExplicitVRLittleEndian,
    **tags: Any,
) -> bytes:
    """A DICOM file around pixels [H, W, C] or an encapsulated frame of `PHOTO`'s size."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = VLPhotographicImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = VLPhotographicImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.PatientName = PATIENT
    grey = photometric.startswith(("MONO", "PALETTE"))
    shape = frame.shape if isinstance(frame, np.ndarray) else (HEIGHT, WIDTH)
    dataset.Rows, dataset.Columns = shape[0], shape[1]
    dataset.SamplesPerPixel = 1 if grey else 3
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    if not grey:
        dataset.PlanarConfiguration = 0
    encapsulated = syntax not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    content = frame.tobytes() if isinstance(frame, np.ndarray) else frame
    dataset.PixelData = (
        encapsulate([content]) if encapsulated else content + bytes(len(content) % 2)
    )
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = encapsulated
    for tag, value in tags.items():
        setattr(dataset, tag, value)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def run_lengths(image: Image) -> bytes:
    """An RLE frame of uint8 [H, W, C], by pydicom's encoder."""
    samples = image.shape[2] if image.ndim == 3 else 1
    options: dict[str, Any] = {
        "rows": image.shape[0],
        "columns": image.shape[1],
        "samples_per_pixel": samples,
        "bits_allocated": 8,
        "bits_stored": 8,
        "pixel_representation": 0,
        "photometric_interpretation": "RGB" if samples == 3 else "MONOCHROME2",
        "number_of_frames": 1,
        "planar_configuration": 0,
    }
    return get_encoder(RLELossless).encode(image.tobytes(), **options)


def to_ybr(image: Image) -> Image:
    """Full-range luminance and chroma (PS3.3, C.7.6.3.1.2)."""
    matrix = np.array(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    )
    ybr = image @ matrix.T + np.array([0, 128, 128])
    return ybr.round().clip(0, 255).astype(np.uint8)


def palette_tags(colours: Image, bits: int) -> dict[str, Any]:
    """The tags of a palette uint8 [N, 3]."""
    tags: dict[str, Any] = {}
    for name, channel in zip(("Red", "Green", "Blue"), colours.T, strict=True):
        table = (channel.astype(np.uint16) * 257).astype("<u2") if bits == 16 else channel
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [len(colours) % 65536, 0, bits]
        tags[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    return tags


def variants() -> dict[str, bytes]:
    """One file of every kind that is read."""
    grey = np.ascontiguousarray(PHOTO[..., 1:2])
    indices = grey // 16
    return {
        "dcm_rgb": dicom(PHOTO),
        "dcm_implicit": dicom(PHOTO, syntax=ImplicitVRLittleEndian),
        "dcm_ybr": dicom(to_ybr(PHOTO), "YBR_FULL"),
        "dcm_mono": dicom(grey, "MONOCHROME2"),
        "dcm_palette": dicom(indices, "PALETTE COLOR", **palette_tags(PHOTO[0, :16], 16)),
        "dcm_rle": dicom(run_lengths(PHOTO), "RGB", RLELossless),
        "dcm_jpeg": dicom(encode(PHOTO), "YBR_FULL_422", JPEGBaseline8Bit),
    }
