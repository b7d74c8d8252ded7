"""Groups of images that a split keeps in one part: lesions and patients as tables write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekd.data.dataset import Dataset, Sample
from edgekd.data.text import clean, is_blank, similar_names

__all__ = ["grouped"]

_LARGE_IMAGES, _LARGE_SHARE = 20, 0.1


def grouped(dataset: Dataset) -> Dataset:
    """The data set with a group for every sample, and with notes on how groups were assigned.

    A sample whose group is blank, or a word for a missing value, gets a group of its own, named as
    its image. Groups whose names differ only in case, white space or separators are merged: a
    patient in several parts is worse than two patients in one.
    """
    written = [clean(sample.group) for sample in dataset.samples]
    names = {text: text for text in written if not is_blank(text)}
    similar = similar_names(names)
    names |= {text: texts[0] for texts in similar for text in texts}
    samples = tuple(
        replace(sample, group=names.get(text) or _group_of_image(sample, names))
        for sample, text in zip(dataset.samples, written, strict=True)
    )
    notes = [*_of_blanks(written), *_of_spellings(dataset.samples, similar), *_of_large(samples)]
    return replace(dataset, samples=samples, notes=(*dataset.notes, *notes))


def _group_of_image(sample: Sample, names: Mapping[str, str]) -> str:
    return f"image {sample.image}" if sample.image in names else sample.image


def _of_blanks(written: Sequence[str]) -> list[str]:
    blanks = Counter(text for text in written if is_blank(text))
    if not blanks:
        return []
    if blanks[""] == len(written):
        return ["no lesion or patient is known: every image stands alone in the split"]
    how = ", ".join(f"{count} {text!r}" if text else f"{count} blank"
                    for text, count in blanks.most_common(5))  # fmt: skip
    number = blanks.total()
    images = "1 image" if number == 1 else f"{number} images"
    verb = "stands" if number == 1 else "stand"
    return [f"{images} without a lesion or patient ({how}) {verb} alone in the split"]


def _of_spellings(samples: Sequence[Sample], similar: Sequence[Sequence[str]]) -> list[str]:
    notes = []
    padded = [s.group for s in samples if clean(s.group) != s.group and not is_blank(s.group)]
    if padded:
        example = min(padded)
        notes.append(
            f"in {len(padded)} rows the lesion or patient has white space around it or decomposed "
            f"letters, which do not count: {example!r} is {clean(example)!r}"
        )
    if similar:
        names = " and ".join(repr(name) for name in similar[0])
        more = f", and so in {len(similar) - 1} more cases" if len(similar) > 1 else ""
        notes.append(f"{names} are taken for one lesion or patient{more}")
    return notes


def _of_large(samples: Sequence[Sample]) -> list[str]:
    ((name, count),) = Counter(sample.group for sample in samples).most_common(1)
    if count < max(_LARGE_IMAGES, _LARGE_SHARE * len(samples)):
        return []
    return [
        f"{count} of {len(samples)} images share the lesion or patient {name!r} and lie in one "
        "part: is that a value for one that is not known?"
    ]
