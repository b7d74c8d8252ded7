"""`folder`: one folder per class, named as the class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.fetching import is_url, local_folder
from edgekd.data.image_files import IMAGE_SUFFIXES, is_clutter
from edgekd.data.text import clean, is_blank
from edgekd.errors import ImageError, InputError
from edgekd.recipe import Section

__all__ = ["Config", "load"]

_PART = re.compile(
    r"(\d+[\s_.-]*)?(train(ing)?|val(id(ation)?)?|dev(elopment)?|test(ing)?|eval(uation)?|hold-?out"
    r"|train(ing)?[\s_.-]*val(id(ation)?)?)"
    r"([\s_.-]*(sets?|data|images?|imgs?|parts?|splits?|folders?|\d+))*([\s_.-]+.*)?"
    r"|(.*[\s_.-])?(folds?|splits?|parts?|subsets?|batch|chunk)[\s_.-]*\d+",
    re.IGNORECASE,
)
"""Names of folders that hold parts of a data set rather than classes."""


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: The folder that holds one folder per class: a path, or an address (`s3://…`) whose
            images are copied once into the cache.
        name: Name for reports; by default the folder's name.
    """

    root: str
    name: str | None = None
    licence: str = ""


def load(config: Config, task: str) -> Dataset:
    """The data set of the folder, without lesions or patients.

    Links to folders are followed. Files left by systems and notebooks are ignored, as are files
    that are no images; notes say which.

    Raises:
        InputError: The folder is missing, holds no class folders with images, or holds the parts of
            a data set (train, test) instead of classes; a file is in two classes.
        ImageError: The target of a link is missing.
    """
    root = local_folder(config.root)
    if not root.is_dir():
        raise InputError(f"the folder {root} does not exist", "check `data.root`")
    walk = _Walk(root)
    images = sorted(walk.images())
    if not images:
        message = f"the folder {root} has no images in folders of their class"
        raise InputError(message, f"expected there: {root / 'CLASS' / 'NAME.jpg'}")
    folders = [image.relative_to(root).parts[:-1] for image in images]
    _refuse_parts(root, folders)
    _refuse_one_class(root, folders)
    kept = _once(root, images, walk)
    samples = [Sample(path.as_posix(), clean(path.parts[0]), "") for path in kept]
    return dataset_of(
        config.name or (PurePosixPath(config.root).name if is_url(config.root) else root.name),
        root,
        samples,
        task=task,
        licence=config.licence,
        notes=[*walk.notes(), *_notes_on(folders)],
    )


@dataclass
class _Walk:
    """A walk through class folders that counts the entries it ignores."""

    root: Path
    clutter: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    other_files: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    top: int = 0
    doubles: int = 0

    def images(self) -> Iterator[Path]:
        """Every image in a class folder, and below."""
        for path in self._entries(self.root):
            if path.is_dir():
                images = list(self._below(path, (self.root.resolve(),)))
                yield from images
                self.empty += [] if images else [path.name]
            elif not path.exists():
                raise ImageError(f"{path} is a link to nothing", "mend or remove it")
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                self.top += 1

    def notes(self) -> list[str]:
        """What was ignored, in sentences."""
        notes = []
        if self.clutter:
            notes.append(f"left out as clutter: {_some(self.clutter)}")
        if self.other_files:
            counts = [
                f"{n} {suffix or 'without a suffix'}" for suffix, n in self.other_files.items()
            ]
            kinds = ", ".join(IMAGE_SUFFIXES)
            notes.append(f"files left out: {_some(counts)} (images are {kinds})")
        if self.empty:
            notes.append(f"folders without images, which are no classes: {_some(self.empty)}")
        if self.top:
            notes.append(f"images left out that lie in no folder of a class: {self.top}")
        if self.loops:
            notes.append(f"links left out that lead back to their own folder: {_some(self.loops)}")
        if self.doubles:
            notes.append(f"links left out to images that are there already: {self.doubles}")
        return notes

    def _below(self, folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
        real = folder.resolve()
        if real in above:
            self.loops.append(str(folder.relative_to(self.root)))
            return
        for path in self._entries(folder):
            if path.is_dir():
                yield from self._below(path, (*above, real))
            elif path.suffix.lower() not in IMAGE_SUFFIXES:
                self.other_files[path.suffix.lower()] += 1
            elif path.is_file():
                yield path
            elif path.exists():
                raise ImageError(f"{path} is a pipe or a device, not an image", "remove it")
            else:
                raise ImageError(f"{path} is a link to nothing", "mend or remove it")

    def _entries(self, folder: Path) -> list[Path]:
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            message = f"the folder {folder} cannot be read: {error.strerror}"
            raise InputError(message, "check its permissions") from error
        self.clutter += [str(p.relative_to(self.root)) for p in paths if is_clutter(p.name)]
        return [path for path in paths if not is_clutter(path.name)]


def _once(root: Path, images: Sequence[Path], walk: _Walk) -> list[Path]:
    """Paths below the root, each image once: further links to it are counted as doubles."""
    seen: dict[Path, Path] = {}
    for image in images:
        path = image.relative_to(root)
        first = seen.setdefault(image.resolve(), path)
        if first.parts[0] != path.parts[0]:
            message = f"{first} and {path} in {root} are one file in two classes"
            raise InputError(message, "remove the link from the wrong class")
        walk.doubles += first is not path
    return list(seen.values())


def _refuse_parts(root: Path, folders: Sequence[tuple[str, ...]]) -> None:
    """Refuse folders named as parts (train, test) if there are two, or if one holds classes."""
    parts = sorted({names[0] for names in folders if _PART.fullmatch(names[0])})
    deep = [names for names in folders if names[0] in parts and len(names) > 1]
    if len(parts) > 1 or deep:
        message = f"{root} holds parts of a data set, not classes: {', '.join(parts)}"
        raise InputError(
            message,
            "put all images of a class into one folder below `data.root`, or give one part as "
            "`data.root`; the recipe's `split` divides them (keep the others for `edgekd eval`)",
        )


def _refuse_one_class(root: Path, folders: Sequence[tuple[str, ...]]) -> None:
    classes = {names[0] for names in folders}
    inner = sorted({names[1] for names in folders if len(names) > 1})
    if len(classes) == 1 and len(inner) > 1:
        (name,) = classes
        message = f"the folder {root} has only one class, {name!r}"
        raise InputError(
            message, f"if {', '.join(inner[:5])} are, let `data.root` be {root / name}"
        )


def _is_doubtful(name: str) -> bool:
    """Whether a folder's name is unlikely to be that of a class."""
    return is_blank(name) or _PART.fullmatch(name) is not None


def _notes_on(folders: Sequence[tuple[str, ...]]) -> list[str]:
    notes = [
        f"{name!r} is taken for a class: remove its folder if it is none"
        for name in sorted({names[0] for names in folders if _is_doubtful(names[0])})
    ]
    notes += [
        f"the folder {name!r} is taken for the class {clean(name)!r}"
        for name in sorted({names[0] for names in folders if clean(names[0]) != names[0]})
    ]
    parts = sorted({name for names in folders for name in names[1:] if _PART.fullmatch(name)})
    if parts:
        notes.append(f"folders {', '.join(parts)} within classes are not read as parts: `split` is")
    return notes


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
