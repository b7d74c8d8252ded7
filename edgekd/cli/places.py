"""Kinds of files and folders among the parameters of the verbs, and checks of them.

The annotation of such a parameter names its kind: `Annotated[Path, Reads.BUNDLE, typer.Option(…)]`.
All of them are checked before the verb starts. A missing or unreadable input, an output that cannot
be written, and an output that would replace an input or another output are refused at once. Where a
checkpoint is expected, the name of a shipped student stands for its folder. The table of users'
mistakes in the tests is generated from the same annotations.
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
from edgekd.resources import checkpoint_place, student_folders
from edgekd.streams import is_stream

__all__ = ["Reads", "Writes", "places_of", "with_checked_places"]

STDOUT = Path("/dev/stdout")


class Reads(Enum):
    """Kinds of inputs."""

    BUNDLE = "bundle"
    CHECKPOINT = "checkpoint"
    MODEL = "bundle or checkpoint"
    FOREIGN = "model of another tool"
    RUN = "run"
    RECIPE = "recipe"
    SPACE = "search space"
    PHOTO = "photo"
    VIDEO = "camera or video"
    IMAGES = "data set"
    DATA = "data set, as a table or a folder"
    TABLE = "table of images and labels"
    OWN_IMAGES = "table of images and labels, or recipe"
    RESULT = "result of bench or eval"
    EVIDENCE = "evidence for an engine"
    PRIVATE_KEY = "private key"
    PUBLIC_KEY = "public key"
    PREDICTIONS = "predictions of a comparison"
    CODES = "table of codes"
    ANSWERS = "answers for a dossier"
    PLAN = "plan of changes"
    METER = "record of a power meter"
    WHEELHOUSE = "wheelhouse"
    PAGE = "page for browsers"

    @property
    def checked_first(self) -> bool:
        """Whether it must exist before the verb starts; verbs check the other kinds themselves."""
        return self not in (
            Reads.RECIPE, Reads.SPACE, Reads.PHOTO, Reads.VIDEO, Reads.PREDICTIONS, Reads.DATA,
            Reads.OWN_IMAGES,
        )  # fmt: skip

    @property
    def has_names(self) -> bool:
        """Whether a shipped student can be given by its name."""
        return self in (Reads.CHECKPOINT, Reads.MODEL)

    @property
    def is_folder(self) -> bool | None:
        """Whether a folder or a file is expected; None accepts either."""
        if self in (Reads.BUNDLE, Reads.MODEL, Reads.FOREIGN, Reads.PREDICTIONS, Reads.DATA):
            return None
        return self in (
            Reads.CHECKPOINT, Reads.RUN, Reads.IMAGES, Reads.WHEELHOUSE, Reads.PAGE,
        )  # fmt: skip


class Writes(Enum):
    """Kinds of outputs. `-` for a file is stdout."""

    FILE = "file"
    NEW_FILE = "file that does not exist yet"
    FOLDER = "folder"


Place = Reads | Writes


def places_of(verb: Callable[..., Any]) -> dict[str, Place]:
    """The parameters of a verb that name files or folders, in the order of its signature."""
    hints = get_type_hints(verb, include_extras=True)
    places = {name: _place_in(hints[name]) for name in inspect.signature(verb).parameters}
    return {name: place for name, place in places.items() if place is not None}


def with_checked_places(verb: Callable[..., None]) -> Callable[..., None]:
    """Wrap a verb so that its inputs and outputs are checked before it starts."""
    places = places_of(verb)

    @functools.wraps(verb)
    def checked(**arguments: Any) -> None:
        for name, place in places.items():
            arguments[name] = _with_students(arguments.get(name), place)
            for path in _paths(arguments[name]):
                _check(path, place)
        _refuse_shared(places, arguments)
        for name, place in places.items():
            if place is Writes.FILE and arguments.get(name) == Path("-"):
                arguments[name] = STDOUT
        verb(**arguments)

    return checked


def _place_in(hint: Any) -> Place | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Reads | Writes)), None)


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, Path))


def _with_students(value: Any, place: Place) -> Any:
    """The value of a parameter, with folders of students in place of their names."""
    if not (isinstance(place, Reads) and place.has_names):
        return value
    if isinstance(value, list):
        return [_with_students(item, place) for item in value]
    return checkpoint_place(value) if isinstance(value, Path) else value


def _refuse_shared(places: dict[str, Place], arguments: dict[str, Any]) -> None:
    """Refuse an output that is also an input, or another output, of the same command."""
    read = [name for name, place in places.items() if isinstance(place, Reads)]
    written = [name for name, place in places.items() if place in (Writes.FILE, Writes.NEW_FILE)]
    inputs = {os.path.realpath(path) for name in read for path in _inputs(arguments.get(name))}
    outputs: set[str] = set()
    for path in (path for name in written for path in _paths(arguments.get(name))):
        real = str(STDOUT) if path in (Path("-"), STDOUT) else os.path.realpath(path)
        if real in inputs:
            message = f"{path} is both input and output of this command"
            raise InputError(message, "choose another place for the output")
        if real in outputs:
            message = f"two outputs would be written to {path}"
            raise InputError(message, "choose another place for one of them")
        if real == str(STDOUT) or not is_stream(path):
            outputs.add(real)


def _inputs(value: Any) -> Iterator[Path]:
    """Files and folders of an input; of recipes, only those that are given as files."""
    yield from _paths(value)
    words = value if isinstance(value, list | tuple) else [value]
    yield from (Path(word) for word in words if isinstance(word, str) and Path(word).is_file())


def _check(path: Path, place: Place) -> None:
    if isinstance(place, Reads):
        if place.checked_first:
            students = ", ".join(student_folders()) if place.has_names else ""
            hint = f"check the path, or name a student: {students}" if students else ""
            check_input_place(path, place.value, folder=place.is_folder, hint=hint)
    elif place is Writes.FOLDER:
        check_folder_place(path)
    elif path != Path("-"):
        check_file_place(path)
