"""Decoded images on disk, so that an epoch costs no JPEG decoding.

They are keyed by the content of the image files, so that a data set may be moved or copied, and are
mapped into memory, so that they may be larger than it.
"""

from edgekd.data.decoded.building import Progress
from edgekd.data.decoded.content import Content, content_of
from edgekd.data.decoded.images import decode_images, decoded_at_sizes, decoded_images

__all__ = [
    "Content",
    "Progress",
    "content_of",
    "decode_images",
    "decoded_at_sizes",
    "decoded_images",
]
