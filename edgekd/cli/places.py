"""What the verbs' parameters that name files and folders are read or written as.

Each such parameter says it in its annotation, `Annotated[Path, Reads.BUNDLE, typer.Option(…)]`.
From that one word follows that it is looked at before the verb begins: an input that is not there
or may not be read, and an output that could not be written, or that would replace an input or be
replaced by another output, are told before anyone waits. The table of users' mistakes in the tests
is made from the same words.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from edgekd.cli.place_checks import check_file_place, check_folder_place, check_input_place
from edgekd.errors import InputError
from edgekd.streams import is_stream

__all__ = ["Reads", "Writes", "places_of", "with_checked_places"]

STDOUT = Path("/dev/stdout")


class Reads(Enum):
    """What an input is to be."""

    BUNDLE = "bundle"
    CHECKPOINT = "checkpoint"
    MODEL = "bundle or checkpoint"
    RUN = "run"
    RECIPE = "recipe"
    PHOTO = "photo"
    VIDEO = "camera or video"
    IMAGES = "data set"
    TABLE = "table of images and labels"
    RESULT = "result of bench or eval"
    EVIDENCE = "evidence for an engine"
    PRIVATE_KEY = "private key"
    PUBLIC_KEY = "public key"
    PREDICTIONS = "predictions of a comparison"
    METER = "record of a power meter"
    WHEELHOUSE = "wheelhouse"

    @property
    def checked_first(self) -> bool:
        """Whether it has to be there; the others' verbs say more, or go on with the next one."""
        return self not in (Reads.RECIPE, Reads.PHOTO, Reads.VIDEO, Reads.PREDICTIONS)

    @property
    def is_folder(self) -> bool | None:
        """Whether it is a folder or a file; None where it may be either."""
        if self in (Reads.BUNDLE, Reads.MODEL, Reads.PREDICTIONS):
            return None
        return self in (Reads.CHECKPOINT, Reads.RUN, Reads.IMAGES, Reads.WHEELHOUSE)


class Writes(Enum):
    """What an output is to be. `-` is stdout for a file."""

    FILE = "file"
    NEW_FILE = "file that is not there yet"
    FOLDER = "folder"


Place = Reads | Writes


def places_of(verb: Callable[..., Any]) -> dict[str, Place]:
    """The parameters of a verb that name files or folders, in their order."""
    hints = get_type_hints(verb, include_extras=True)
    found = {name: _place_in(hints[name]) for name in inspect.signature(verb).parameters}
    return {name: place for name, place in found.items() if place is not None}


def with_checked_places(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb, which looks at its places before it begins."""
    places = places_of(verb)

    @functools.wraps(verb)
    def checked(**given: Any) -> None:
        for name, place in places.items():
            for path in _paths(given.get(name)):
                _check(path, place)
        _refuse_shared(places, given)
        for name, place in places.items():
            if place is Writes.FILE and given.get(name) == Path("-"):
                given[name] = STDOUT
        verb(**given)

    return checked


def _place_in(hint: Any) -> Place | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Reads | Writes)), None)


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, Path))


def _refuse_shared(places: dict[str, Place], given: dict[str, Any]) -> None:
    """Each file that is written has a place of its own, which nothing is read from."""
    read = [name for name, place in places.items() if isinstance(place, Reads)]
    written = [name for name, place in places.items() if place in (Writes.FILE, Writes.NEW_FILE)]
    inputs = {os.path.realpath(path) for name in read for path in _inputs(given.get(name))}
    outputs: set[str] = set()
    for path in (path for name in written for path in _paths(given.get(name))):
        real = str(STDOUT) if path in (Path("-"), STDOUT) else os.path.realpath(path)
        if real in inputs:
            message = f"{path} is to be read and written by the same command"
            raise InputError(message, "choose another place for the output")
        if real in outputs:
            message = f"two outputs are to be written to {path}"
            raise InputError(message, "choose another place for one of them")
        if real == str(STDOUT) or not is_stream(path):
            outputs.add(real)


def _inputs(value: Any) -> Iterator[Path]:
    """The files and folders; a recipe, which may be the name of a shipped one, if it is there."""
    yield from _paths(value)
    words = value if isinstance(value, list | tuple) else [value]
    yield from (Path(word) for word in words if isinstance(word, str) and Path(word).is_file())


def _check(path: Path, place: Place) -> None:
    if isinstance(place, Reads):
        if place.checked_first:
            check_input_place(path, place.value, folder=place.is_folder)
    elif place is Writes.FOLDER:
        check_folder_place(path)
    elif path != Path("-"):
        check_file_place(path)
