"""Formats that are not read, recognised by their first bytes so that the refusal names them."""

from __future__ import annotations

from edgekd.runtime.images.header import Unreadable

__all__ = ["refusal"]

READ = "JPEG, PNG, BMP, WebP, TIFF and DICOM are read"

_CONVERT = "save it as JPEG or PNG"
_EXPORT = "export it as JPEG"
_STARTS = (
    (b"GIF8", "a GIF, which has too few colours", "take the original photo"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 file", _CONVERT),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 file", _CONVERT),
    (b"\xff\x0a", "a JPEG XL file", _CONVERT),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL file", _CONVERT),
    (b"II\xbc\x01", "a JPEG XR file", _CONVERT),
    (b"%PDF", "a PDF document", _EXPORT),
    (b"8BPS", "a Photoshop document", _EXPORT),
    (b"FUJIFILMCCD-RAW", "a camera's raw photo", _EXPORT),
    (b"IIRO", "a camera's raw photo", _EXPORT),
    (b"IIRS", "a camera's raw photo", _EXPORT),
    (b"IIU\x00", "a camera's raw photo", _EXPORT),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
)
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_DOCUMENTS = (
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)


def refusal(data: bytes) -> Unreadable:
    """The refusal of bytes that are in none of the supported formats."""
    if not data:
        return Unreadable("is empty", "copy it again from its source")
    for start, kind, hint in _STARTS:
        if data.startswith(start):
            return Unreadable(f"is {kind}", hint)
    if data[4:8] == b"ftyp":
        return _base_media(data[8:12])
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<"):
        for word, kind in _DOCUMENTS:
            if word in text:
                return Unreadable(f"is {kind}", "give the photo itself")
    return Unreadable("is not an image of a known format", READ)


def _base_media(brand: bytes) -> Unreadable:
    if brand in _HEIC:
        return Unreadable(
            "is a HEIC photo", "set the camera to JPEG (“most compatible”), or convert it to JPEG"
        )
    if brand in (b"avif", b"avis"):
        return Unreadable("is an AVIF image", _CONVERT)
    if brand == b"crx ":
        return Unreadable("is a camera's raw photo", _EXPORT)
    return Unreadable("is a video", "give one of its pictures as JPEG or PNG")
