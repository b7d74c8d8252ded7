"""Data sets: sources, splits, the decoded cache, augmentation, synthetic dermoscopy."""

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.decoded import decode_images, decoded_at_sizes, decoded_images
from edgekd.data.sources import load_dataset
from edgekd.data.split import PARTS, Split, read_split, split_dataset, write_split
from edgekd.user_folders import cache_folder

__all__ = [
    "PARTS",
    "Dataset",
    "Sample",
    "Split",
    "cache_folder",
    "dataset_of",
    "decode_images",
    "decoded_at_sizes",
    "decoded_images",
    "load_dataset",
    "read_split",
    "split_dataset",
    "write_split",
]
