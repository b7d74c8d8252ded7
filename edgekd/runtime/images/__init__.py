"""Encoded images: what their headers say, what is refused and why, and their pixels.

One file for each format (`jpeg`, `png`, `bmp`, `webp`, `tiff`, `dicom`), each with a `read` that
tells size and kind from the bytes alone; `foreign` names what is not read; `decoding` holds the
headers against the limits of `header` and calls OpenCV; `sources` gets the bytes.
"""
