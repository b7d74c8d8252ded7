"""Messages for errors that other libraries and the system raise.

A full disk, a missing package, too little memory, a file in another encoding: each gets a message,
a hint and an exit code here, for all verbs. Any other error is a bug of edgekd and keeps its
traceback. `EDGEKD_DEBUG=1` shows the traceback of the explained errors too.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Iterator

from edgekd.errors import EdgekdError, InputError, MissingDependencyError

__all__ = ["explained", "show_origin"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HINTS = {
    errno.EACCES: "check the permissions, or choose another place",
    errno.EPERM: "check the permissions, or choose another place",
    errno.EROFS: "choose another place: this file system is read-only",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.EISDIR: "give a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "check the symbolic links",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
}
_REPEATING = ("dossier",)
"""Extras that bring what others do, too: named where no other brings a package."""
_IMPORTED_AS = {"cv2": "opencv-python-headless", "sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Distribution names by import name, where they differ."""
_CUT_SHORT = re.compile(r"inline_container\.cc.*unexpected pos|failed writing|iostream error")
"""Messages of PyTorch's file writer after an incomplete write; they do not name the cause."""
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


def explained(error: BaseException, purpose: str) -> EdgekdError | None:
    """The error as one for the user, or None where it is a bug.

    Args:
        error: The exception that ended the command; its causes are considered too.
        purpose: What the command does, to complete "… is needed to …".
    """
    for cause in _causes(error):
        if isinstance(cause, EdgekdError):
            return cause
        explanation = _explanation(cause, purpose)
        if explanation is not None:
            return explanation
    return None


def show_origin(error: BaseException) -> None:
    """Print the traceback where `EDGEKD_DEBUG` is set."""
    if os.environ.get("EDGEKD_DEBUG", "0") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its explicit causes, since libraries wrap errors of the system."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _explanation(error: BaseException, purpose: str) -> EdgekdError | None:
    if isinstance(error, ImportError):
        return _not_imported(error, purpose)
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, MemoryError) or _NO_MEMORY.search(_first_line(error)):
        message = f"there is too little memory to {purpose}"
        return InputError(message, "end other programs, or take smaller batches or images")
    if isinstance(error, UnicodeError):
        return _of_an_encoding(error)
    if any(os.strerror(code) in str(error) for code in _FULL):  # wrapped by a library
        return _disk_full(_first_line(error))
    if isinstance(error, RuntimeError) and _CUT_SHORT.search(_first_line(error)):
        return _disk_full("a file could not be written whole; the disk may be full")
    return _of_a_parser(error)


def _of_the_system(error: OSError) -> EdgekdError:
    reason = error.strerror or _first_line(error) or type(error).__name__
    message = ": ".join(str(part) for part in (error.filename, reason) if part)
    if error.errno in _FULL:
        return _disk_full(message)
    return InputError(
        message, _HINTS.get(error.errno or 0, "EDGEKD_DEBUG=1 shows where it happened")
    )


def _disk_full(message: str) -> EdgekdError:
    return InputError(message, "make room there, or choose a place on another disk")


def _of_an_encoding(error: UnicodeError) -> EdgekdError:
    if isinstance(error, UnicodeEncodeError):
        message = f"a name or a text cannot be written as {error.encoding}: {error.object!r}"
        return InputError(message, "rename the file, or use a UTF-8 locale")
    return InputError(f"a file is not text in UTF-8: {error}", "save it as UTF-8")


def _of_a_parser(error: BaseException) -> EdgekdError | None:
    """Errors of msgspec and PyYAML, recognised by name so that neither has to be imported."""
    origin, kinds = type(error).__module__, {kind.__name__ for kind in type(error).__mro__}
    if origin.startswith(("msgspec", "yaml")) and kinds & {"MsgspecError", "YAMLError"}:
        return InputError(f"a file cannot be read: {_first_line(error)}", "correct it")
    return None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


# ---- packages ----


def _not_imported(error: ImportError, purpose: str) -> EdgekdError | None:
    """A missing or broken package; None for edgekd's own modules, whose absence is a bug."""
    top = (error.name or "").partition(".")[0]
    if not top or top == "edgekd":
        return None
    package = _IMPORTED_AS.get(top, top.replace("_", "-"))
    extra = _extra_of(package)
    missing = MissingDependencyError(package, extra or "", purpose)
    if extra is None:  # edgekd itself, or another package, depends on it
        missing.hint = f"pip install {package}"
    if not isinstance(error, ModuleNotFoundError):
        missing.message = f"{package} is installed but does not import: {_first_line(error)}"
        missing.hint = f"install it again: pip install --force-reinstall {package}"
    return missing


def _extra_of(package: str) -> str | None:
    """The smallest extra of edgekd that installs the package; None where none does."""
    extras = _extras()
    brought = [extra for extra, packages in extras.items() if package.lower() in packages]
    return min(brought, key=lambda extra: (extra in _REPEATING, len(extras[extra])), default=None)


def _extras() -> dict[str, set[str]]:
    """Packages by extra, from the metadata of the installed edgekd; empty where there is none."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        needed = requires("edgekd") or []
    except PackageNotFoundError:
        return {}
    extras: dict[str, set[str]] = {}
    for line in needed:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)", line)
        if name and extra:
            extras.setdefault(extra[1], set()).add(name[0].lower().replace("_", "-"))
    return extras
