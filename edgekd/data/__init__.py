"""Data sets: sources, splits, the decoded cache, augmentation, synthetic dermoscopy."""

from edgekd.data.cache import cache_folder, content_sha256, decode_images, decoded
from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.sources import load_dataset
from edgekd.data.split import PARTS, Split, read_split, split_dataset, write_split

__all__ = [
    "PARTS",
    "Dataset",
    "Sample",
    "Split",
    "cache_folder",
    "content_sha256",
    "dataset_of",
    "decode_images",
    "decoded",
    "load_dataset",
    "read_split",
    "split_dataset",
    "write_split",
]
