"""Which images a split must not tear apart: lesions and patients as tables write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekd.data.dataset import Dataset, Sample
from edgekd.data.text import clean, is_blank, look_alikes

__all__ = ["grouped"]

_LARGE_IMAGES, _LARGE_SHARE = 20, 0.1


def grouped(dataset: Dataset) -> Dataset:
    """The data set with every sample's group settled, and with notes of what that took.

    A sample whose group is blank, or a word for a missing value, stands alone: its group is its
    image. Groups whose names differ in case, white space or separators alone are one: a patient
    in several parts is worse than two patients in one.
    """
    written = [clean(sample.group) for sample in dataset.samples]
    names = {text: text for text in written if not is_blank(text)}
    same = look_alikes(names)
    names |= {text: texts[0] for texts in same for text in texts}
    samples = tuple(
        replace(sample, group=names.get(text) or _own_group(sample, names))
        for sample, text in zip(dataset.samples, written, strict=True)
    )
    notes = [*_of_blanks(written), *_of_spellings(dataset.samples, same), *_of_large(samples)]
    return replace(dataset, samples=samples, notes=(*dataset.notes, *notes))


def _own_group(sample: Sample, names: Mapping[str, str]) -> str:
    return f"image {sample.image}" if sample.image in names else sample.image


def _of_blanks(written: Sequence[str]) -> list[str]:
    found = Counter(text for text in written if is_blank(text))
    if not found:
        return []
    if found[""] == len(written):
        return ["no lesion or patient is known: every image stands alone in the split"]
    how = ", ".join(f"{count} {text!r}" if text else f"{count} blank"
                    for text, count in found.most_common(5))  # fmt: skip
    many = f"{found.total()} images without a lesion or patient ({how}) stand"
    one = f"1 image without a lesion or patient ({how}) stands"
    return [f"{many if found.total() > 1 else one} alone in the split"]


def _of_spellings(samples: Sequence[Sample], same: Sequence[Sequence[str]]) -> list[str]:
    notes = []
    padded = [s.group for s in samples if clean(s.group) != s.group and not is_blank(s.group)]
    if padded:
        example = min(padded)
        notes.append(
            f"in {len(padded)} rows the lesion or patient has white space around it or decomposed "
            f"letters, which do not count: {example!r} is {clean(example)!r}"
        )
    if same:
        names = " and ".join(repr(name) for name in same[0])
        more = f", and so in {len(same) - 1} more cases" if len(same) > 1 else ""
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
