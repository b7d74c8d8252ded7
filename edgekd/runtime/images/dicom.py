"""DICOM: one frame of 8-bit colour or grey, as dermatoscopes and picture archives store it.

Only the tags that describe pixels are read; patient data is never decoded as text, nor put into a
message or log. pydicom reads the elements, with a limit on the number of reads; the pixels are
unpacked here, within the size that the header declares.

Sources: DICOM PS3.5 (2024), sections 8 and A.4 and annex G (RLE); PS3.3, C.7.6.3 (image pixel).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import EdgekdError, MissingDependencyError
from edgekd.runtime.images.header import (
    MAX_MEMORY,
    MAX_PIXELS,
    ImageHeader,
    Unreadable,
    damaged_image,
    truncated_image,
)
from edgekd.runtime.images.jpeg import colour_is_declared, end_of_image
from edgekd.runtime.telemetry import without_requests

__all__ = ["Jpeg", "Pixels", "import_reader", "read_dicom"]

MAX_READS = 300_000
"""Most reads of a file. Each element takes at least one; an ordinary file has some hundred."""

MAX_RLE_BYTES = 20_000_000
"""Most bytes of RLE data, which are unpacked in Python at 10 MB a second in the worst case."""

_BYTES_PER_PIXEL = 12
"""Memory that unpacking and conversion take where the frame is not a JPEG."""

_IMPLICIT = "1.2.840.10008.1.2"
_EXPLICIT = "1.2.840.10008.1.2.1"
_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_RLE = "1.2.840.10008.1.2.5"

_TRANSFER_SYNTAX = 0x00020010
_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS, _ALLOCATED, _STORED, _SIGNED = (
    0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103,
)  # fmt: skip
_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_TABLES = (0x00281201, 0x00281202, 0x00281203)
_PROFILE, _PIXEL_DATA = 0x00282000, 0x7FE00010
_TAGS = (
    _SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _SIGNED,
    *_DESCRIPTORS, *_TABLES, _PROFILE, _PIXEL_DATA,
)  # fmt: skip

_SAMPLES_OF = {
    "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3,
    "MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1,
}  # fmt: skip
_EXPORT = "export it from the archive as JPEG or PNG"

Elements = Mapping[int, bytes]


@dataclass(frozen=True)
class Layout:
    """The layout of a frame's pixels."""

    rows: int
    columns: int
    photometric: str
    planar: bool
    profile: bytes = b""

    @property
    def samples(self) -> int:
        """Channels of a pixel."""
        return _SAMPLES_OF[self.photometric]

    @property
    def pixels(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Jpeg:
    """A frame that is a complete JPEG file."""

    data: bytes
    layout: Layout

    @property
    def inverted(self) -> bool:
        """Whether 0 is white."""
        return self.layout.photometric == "MONOCHROME1"

    def check(self, header: ImageHeader) -> None:
        """Check the header of the JPEG against that of the DICOM file.

        Raises:
            Unreadable: They contradict each other, or neither declares the colours.
        """
        if self.data[end_of_image(self.data) :].strip(b"\0"):
            raise _surplus()
        layout = self.layout
        declared = (layout.columns, layout.rows, layout.samples)
        if (header.width, header.height, header.components) != declared:
            raise damaged_image("DICOM")
        if layout.photometric == "RGB" and not colour_is_declared(self.data):
            # libjpeg assumes that unmarked channels are luminance and chroma.
            raise Unreadable("is a DICOM file whose JPEG does not say that it is RGB", _EXPORT)
        if layout.photometric == "PALETTE COLOR":
            raise damaged_image("DICOM")


@dataclass(frozen=True)
class Pixels:
    """An unpacked frame: uint8 [H, W, C], or palette indices with their colours."""

    samples: NDArray[np.uint8]
    layout: Layout
    palette: NDArray[np.uint8] | None = None

    def bgr(self) -> NDArray[np.uint8]:
        """The colours, uint8 [H, W, 3] in OpenCV's order."""
        kind = self.layout.photometric
        if self.palette is not None:
            return self.palette[self.samples[..., 0]]
        if kind == "RGB":
            return _converted(self.samples, cv2.COLOR_RGB2BGR)
        if kind.startswith("YBR"):
            swapped = np.ascontiguousarray(self.samples[..., [0, 2, 1]])  # OpenCV's is Y, Cr, Cb
            return _converted(swapped, cv2.COLOR_YCrCb2BGR)
        grey = ~self.samples if kind == "MONOCHROME1" else self.samples
        return _converted(grey, cv2.COLOR_GRAY2BGR)


def read_dicom(data: bytes) -> Jpeg | Pixels:
    """The frame of a DICOM file.

    Raises:
        Unreadable: It is of a kind that is not read, damaged, or too large.
        MissingDependencyError: pydicom is not installed.
    """
    try:
        syntax, elements = _elements(data)
        return _frame(syntax, elements)
    except (Unreadable, EdgekdError):
        raise
    except Exception:  # its message may quote patient data, so it is dropped
        raise damaged_image("DICOM") from None


class _Budget(io.BytesIO):
    """A file with a limited number of reads, since millions of small elements take minutes."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise damaged_image("DICOM")
        return super().read(size)


def import_reader() -> Any:
    """The reader of pydicom."""
    try:
        with without_requests():
            from pydicom.filereader import read_dataset
    except ImportError:
        raise MissingDependencyError("pydicom", "dicom", "read DICOM files") from None
    return read_dataset


def _elements(data: bytes) -> tuple[str, Elements]:
    """The transfer syntax and the raw values of the tags that matter."""
    read_dataset = import_reader()
    file = _Budget(data)
    file.seek(132)
    meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = _text(_raw(meta, _TRANSFER_SYNTAX))
    _refuse_syntax(syntax)
    dataset = read_dataset(
        file,
        syntax == _IMPLICIT,
        True,
        stop_when=lambda tag, *_: tag > _PIXEL_DATA,
        specific_tags=list(_TAGS),
    )
    return syntax, {tag: _raw(dataset, tag) for tag in _TAGS if tag in dataset}


def _raw(dataset: Any, tag: int) -> bytes:
    """The bytes of an element, unconverted: pydicom's conversion quotes odd values in warnings."""
    value = dataset.get_item(tag).value
    if not isinstance(value, bytes):
        raise damaged_image("DICOM")
    return value


def _refuse_syntax(syntax: str) -> None:
    if syntax in (_IMPLICIT, _EXPLICIT, _RLE, *_JPEG):
        return
    from pydicom.uid import AllTransferSyntaxes

    names = [uid.name for uid in AllTransferSyntaxes if uid == syntax]
    name = names[0] if names else "an unknown transfer syntax"
    raise Unreadable(f"is a DICOM file with pixels that are not read: {name}", _EXPORT)


def _frame(syntax: str, elements: Elements) -> Jpeg | Pixels:
    if _PIXEL_DATA not in elements:
        raise Unreadable("is a DICOM file without a picture", "choose the one that holds the photo")
    layout = _layout(elements)
    stored = elements[_PIXEL_DATA]
    if syntax in _JPEG:
        return Jpeg(_fragments(stored), layout)
    _refuse_size(layout, _BYTES_PER_PIXEL * layout.pixels)
    rle = syntax == _RLE
    samples = _run_lengths(_fragments(stored), layout) if rle else _plain(stored, layout)
    palette = _palette(elements) if layout.photometric == "PALETTE COLOR" else None
    return Pixels(samples, layout, palette)


def _layout(elements: Elements) -> Layout:
    frames = _text(elements.get(_FRAMES, b"1")) or "1"
    if frames != "1":
        raise Unreadable("is a DICOM file of several frames", "export the frame that is meant")
    if _number(elements, _ALLOCATED) != 8 or _number(elements, _STORED) != 8:
        raise Unreadable("is a DICOM file of more than 8 bits a channel", _EXPORT)
    photometric = _text(elements[_PHOTOMETRIC])
    if photometric not in _SAMPLES_OF:
        raise Unreadable("is a DICOM file in colours that are not read", _EXPORT)
    planar = _number(elements, _PLANAR) if _PLANAR in elements else 0
    rows, columns = _number(elements, _ROWS), _number(elements, _COLUMNS)
    profile = b"" if photometric.startswith("MONO") else elements.get(_PROFILE, b"")
    layout = Layout(rows, columns, photometric, planar == 1, profile)
    if _number(elements, _SAMPLES) != layout.samples or _number(elements, _SIGNED) != 0:
        raise damaged_image("DICOM")
    if layout.pixels == 0 or planar > 1 or (planar and photometric == "YBR_FULL_422"):
        raise damaged_image("DICOM")
    _refuse_size(layout, 0)
    return layout


def _refuse_size(layout: Layout, memory: int) -> None:
    if layout.pixels > MAX_PIXELS or memory > MAX_MEMORY:
        size = f"{layout.columns}x{layout.rows} pixels"
        raise Unreadable(f"has {size}, too many for a DICOM file of its kind", _EXPORT)


def _number(elements: Elements, tag: int) -> int:
    return int(struct.unpack("<H", elements[tag])[0])


def _text(value: bytes) -> str:
    return value.decode("ascii").strip(" \0")


def _fragments(stored: bytes) -> bytes:
    """The joined items of encapsulated pixel data, without the first (the offset table)."""
    parts, position = [], 0
    while position + 8 <= len(stored):
        group, element, length = struct.unpack_from("<HHI", stored, position)
        if (group, element) != (0xFFFE, 0xE000):
            break
        parts.append(memoryview(stored)[position + 8 : position + 8 + length])
        position += 8 + length
    return b"".join(parts[1:])


def _plain(stored: bytes, layout: Layout) -> NDArray[np.uint8]:
    """Uncompressed samples, uint8 [H, W, C]."""
    rows, columns, samples = layout.rows, layout.columns, layout.samples
    if layout.photometric == "YBR_FULL_422":
        return _halved_chroma(stored, rows, columns)
    count = layout.pixels * samples
    _refuse_length(len(stored), count)
    values = np.frombuffer(stored, np.uint8, count)
    if layout.planar:
        return np.ascontiguousarray(values.reshape(samples, rows, columns).transpose(1, 2, 0))
    return values.reshape(rows, columns, samples)


def _refuse_length(length: int, expected: int) -> None:
    """Refuse pixel data of another length than expected; one byte may pad it (PS3.5, 8.1).

    Longer data have another colour layout than declared, often three bytes a pixel in spite of
    YBR_FULL_422, or contain a second picture.
    """
    if length < expected:
        raise truncated_image("DICOM pixels")
    if length > expected + expected % 2:
        raise _surplus()


def _surplus() -> Unreadable:
    reason = "is a DICOM file with more data than the picture that it declares takes"
    return Unreadable(reason, _EXPORT)


def _halved_chroma(stored: bytes, rows: int, columns: int) -> NDArray[np.uint8]:
    """Pixels from Y1 Y2 Cb Cr for each two of them (PS3.3, C.7.6.3.1.2)."""
    count = rows * columns * 2
    if columns % 2:
        raise damaged_image("DICOM")
    _refuse_length(len(stored), count)
    pairs = np.frombuffer(stored, np.uint8, count).reshape(rows, columns // 2, 4)
    samples = np.empty((rows, columns, 3), np.uint8)
    samples[..., 0] = pairs[..., :2].reshape(rows, columns)
    samples[..., 1:] = np.repeat(pairs[..., 2:], 2, axis=1)
    return samples


def _run_lengths(frame: bytes, layout: Layout) -> NDArray[np.uint8]:
    """The planes of an RLE frame, uint8 [H, W, C] (PS3.5, annex G)."""
    if len(frame) > MAX_RLE_BYTES:
        raise Unreadable(f"is a DICOM file of {len(frame)} bytes of run lengths", _EXPORT)
    count, *starts = struct.unpack_from("<16I", frame)
    if count != layout.samples or starts[:count] != sorted(starts[:count]):
        raise damaged_image("DICOM")
    ends = [*starts[1:count], len(frame)]
    planes = [
        _unpacked(frame[start:end], layout.pixels)
        for start, end in zip(starts[:count], ends, strict=True)
    ]
    values = np.stack([np.frombuffer(plane, np.uint8) for plane in planes], axis=-1)
    return values.reshape(layout.rows, layout.columns, layout.samples)


def _unpacked(segment: bytes, count: int) -> bytearray:
    """PackBits: n < 128 is followed by n + 1 bytes, n > 128 by one byte to repeat 257 - n times."""
    plane, position = bytearray(), 0
    while len(plane) < count and position < len(segment):
        control = segment[position]
        if control < 128:
            plane += segment[position + 1 : position + 2 + control]
            position += 2 + control
        elif control > 128:
            plane += segment[position + 1 : position + 2] * (257 - control)
            position += 2
        else:
            position += 1
    if len(plane) < count:
        raise truncated_image("DICOM pixels")
    if len(plane) > count or len(segment) > position + 1:  # one byte may pad to an even length
        raise _surplus()
    return plane


def _palette(elements: Elements) -> NDArray[np.uint8]:
    """Colours of the 256 indices, uint8 [256, 3] BGR (PS3.3, C.7.6.3.1.5)."""
    channels = []
    for descriptor, table in zip(_DESCRIPTORS, _TABLES, strict=True):
        entries, first, bits = struct.unpack("<HHH", elements[descriptor])
        entries = entries or 1 << 16  # 65536 is stored as 0
        colours = np.frombuffer(elements[table], np.uint8)
        if len(colours) >= 2 * entries:
            colours = colours[bits == 16 : 2 * entries : 2]  # the upper byte of 16 bits
        if len(colours) < entries:
            raise damaged_image("DICOM")
        channels.append(colours[np.clip(np.arange(256) - first, 0, entries - 1)])
    return np.stack(channels[::-1], axis=-1)


def _converted(samples: NDArray[np.uint8], code: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(samples, code), np.uint8)
