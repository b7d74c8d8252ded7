"""Image files that a table names, in spite of differences in suffix, case and Unicode."""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from edgekd.data.text import clean
from edgekd.errors import ImageError, InputError

__all__ = ["IMAGE_SUFFIXES", "ImageFiles", "child", "is_clutter", "locate_images"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

_CLUTTER = frozenset({
    "__macosx", "@eadir", "#recycle", "$recycle.bin", "thumbs.db", "desktop.ini", "lost+found",
    "system volume information",
})  # fmt: skip


def is_clutter(name: str) -> bool:
    """Whether a file or folder was left behind by a system or a notebook, rather than by people."""
    return name.startswith((".", "~$")) or name.casefold() in _CLUTTER


def child(folder: Path, *names: str) -> Path:
    """The first of the names that exists in a folder, in any case; else the path of the first."""
    try:
        there = {clean(path.name).casefold(): path for path in sorted(folder.iterdir())}
    except OSError:
        there = {}
    for name in names:
        if (folder / name).exists():
            return folder / name
    return next((there[name.casefold()] for name in names if name.casefold() in there),
                folder / names[0])  # fmt: skip


class ImageFiles:
    """Image files below one folder, looked up by the names of a table.

    Args:
        root: The folder.
        folders: Folders below it that a table may leave out, in any case and in this order.

    Attributes:
        title: The folder in messages.
    """

    def __init__(self, root: Path, folders: Sequence[str] = (".", "images")) -> None:
        self.root = root
        self.title = str(root)
        self._folders = folders
        self._folders_by_name: dict[str, str] = {}
        self._listings: dict[str, dict[str, list[str]]] = {}

    @classmethod
    def below(cls, roots: Sequence[Path], folders: Sequence[str] = (".", "images")) -> ImageFiles:
        """The image files below several folders, as paths below the deepest that holds them all.

        Args:
            roots: The folders.
            folders: Folders below each of them that a table may leave out.
        """
        if len(roots) == 1:
            return cls(roots[0], folders)
        places = [os.path.normpath(root.absolute()) for root in roots]
        common = Path(os.path.commonpath(places))
        names = [Path(place).relative_to(common) for place in places]
        files = cls(common, [(name / below).as_posix() for name in names for below in folders])
        files.title = " or ".join(map(str, roots))
        return files

    def find(self, name: str) -> str | None:
        r"""Path below the root of the image `name`, with forward slashes; None where it is not.

        The first of the folders that has it counts. An absolute path of an image elsewhere stays
        as it is.

        The suffix may be left out, or be in another case; `\` is a separator too.

        Raises:
            ImageError: Several files have that name with different suffixes.
        """
        return next(self.matches(name), None)

    def matches(self, name: str) -> Iterator[str]:
        """All images of that name in the folders, in their order; see `find`."""
        written = clean(name)
        if not written:
            return
        absolute = PurePosixPath(written).is_absolute()
        inside = self._inside(written) if absolute else written
        for folder in (".",) if absolute else self._folders:
            path = self._at(posixpath.normpath(posixpath.join(folder, inside)))
            if path is not None:
                yield path

    def place(self, image: str) -> str:
        """The real place of an image, with links to its folder resolved.

        Links to the image itself are kept: archives that store files by content use one file for
        all copies, which `inspect` reports.
        """
        folder, name = posixpath.split(image)
        if folder not in self._folders_by_name:
            self._folders_by_name[folder] = os.path.realpath(self.root / folder)
        return posixpath.join(self._folders_by_name[folder], name)

    def _inside(self, name: str) -> str:
        """An absolute name relative to the root, where it is below."""
        for root in (self.root, self.root.absolute(), self.root.resolve()):
            if PurePosixPath(name).is_relative_to(root):
                return PurePosixPath(name).relative_to(root).as_posix()
        return name

    def _at(self, path: str) -> str | None:
        if _is_file(self.root / path):
            return path
        return self._lenient(path) or (
            self._lenient(posixpath.normpath(path.replace("\\", "/"))) if "\\" in path else None
        )

    def _lenient(self, path: str) -> str | None:
        """The file of that path with its folders in another case or Unicode form."""
        *folders, last = path.split("/")
        folder = "/" if path.startswith("/") else "."
        for part in filter(None, folders):
            there = self._listing(folder).get(_key(part), [])
            exact = [one for one in there if clean(one) == clean(part)]
            step = next(iter(exact or there), part)
            folder = posixpath.normpath(posixpath.join(folder, step))
        listing = self._listing(folder)
        named = [one for one in listing.get(_key(last), ()) if _stem(one) == _stem(clean(last))]
        files = named or [
            one
            for suffix in IMAGE_SUFFIXES
            for one in listing.get(_key(last + suffix), ())
            if _stem(one) == clean(last)
        ]
        files = [one for one in files if _is_file(self.root / folder / one)]
        if len(files) > 1:
            message = f"{path!r} may be any of {', '.join(sorted(files))} in {self.root / folder}"
            raise ImageError(message, "write the suffix in the table")
        return posixpath.normpath(posixpath.join(folder, files[0])) if files else None

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """Names of the files in a folder, by the normalised form in which tables may write them."""
        if folder not in self._listings:
            listing = defaultdict(list)
            for name in _names(self.root / folder):
                listing[_key(name)].append(name)
            self._listings[folder] = listing
        return self._listings[folder]


def locate_images(
    table: Path, named: Sequence[tuple[int, str]], files: ImageFiles, hint: str
) -> list[str]:
    """The paths of the images that the lines (line, name) of a table name.

    Raises:
        InputError: An image is named twice.
        ImageError: Images are missing; names the first and how many more, with `hint`.
    """
    lines: dict[str, int] = {}
    images, missing = [], []
    for line, name in named:
        image = files.find(name)
        if image is None:
            missing.append((line, name))
            continue
        place = files.place(image)
        if place in lines:
            message = f"{table} names the image {image} twice: on lines {lines[place]} and {line}"
            raise InputError(message, "remove one of the rows")
        lines[place] = line
        images.append(image)
    if missing:
        raise _missing(table, missing, files.title, hint)
    return images


def _missing(table: Path, missing: Sequence[tuple[int, str]], root: str, hint: str) -> ImageError:
    line, name = missing[0]
    message = f"line {line} of {table} names the image {name!r}, which is not in {root}"
    if len(missing) > 1:
        shown = ", ".join(str(line) for line, _ in missing[1:6])
        more = ", …" if len(missing) > 6 else ""
        message += f" (nor are {len(missing) - 1} more: lines {shown}{more})"
    if "://" in name:
        hint = "fetch the images first, and give their paths"
    elif PureWindowsPath(name).drive:
        hint = "give paths relative to the folder of the images"
    return ImageError(message, hint)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except (OSError, ValueError):
        return []


def _key(name: str) -> str:
    return clean(name).casefold()


def _stem(name: str) -> str:
    return clean(PurePosixPath(name).stem)
