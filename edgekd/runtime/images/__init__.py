"""Encoded images: their headers, the checks that refuse an image, and their pixels.

One module for each format (`jpeg`, `png`, `bmp`, `webp`, `tiff`, `dicom`), each with a function
`read_<format>` that reads size and kind from the bytes alone. `huffman`, `jpeg_scans`, `scan_bits`,
`scan_walk` and `jpeg_check` check the compressed data of a JPEG, `strips` those of a TIFF.
`foreign` names formats that are not read, `decoding` compares headers with the limits of `header`
and calls OpenCV, `profile` converts colours, and `sources` reads the bytes.
"""
