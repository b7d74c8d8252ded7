"""The errors that edgekd raises for users' mistakes and missing capabilities of a machine.

    EdgekdError                    exit 1  (base class, never raised)
    ├── InputError                 exit 2  usage or bad input
    │   ├── ImageError             exit 2  an image that cannot be read
    │   └── ForkedError            exit 2  a classifier used in a forked process
    ├── MissingDependencyError     exit 3  a package is missing
    ├── GateFailedError            exit 4  a lowered file did not pass its gate
    ├── DeviceUnreachableError     exit 5  a configured device does not answer
    └── ArtefactError              exit 6  a bundle or model file is damaged or of the wrong kind

`StoppedError` ends a training after a signal, as Ctrl-C does: exit 128 + the signal's number.

Each error has two lines for the user: what is wrong, and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "ArtefactError",
    "DeviceUnreachableError",
    "EdgekdError",
    "ForkedError",
    "GateFailedError",
    "ImageError",
    "InputError",
    "MissingDependencyError",
    "StoppedError",
    "reason_of",
]


_LONGEST = 800
"""Most characters of a message or a hint."""


class EdgekdError(Exception):
    """Base of the errors that a user can do something about.

    Args:
        message: One line: what is wrong.
        hint: One line: what to do; empty where nothing can be done.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _one_line(message)
        self.hint = _one_line(hint)
        super().__init__(self.message)


def reason_of(error: BaseException) -> str:
    """What another library's exception says, in one line: its first, or the name of its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _one_line(text: str) -> str:
    """The text cut to one printable line; it may quote the content of a damaged file."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    if shown.isprintable():
        return shown
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return "".join(escaped)


class InputError(EdgekdError):
    """A file, option or value that the user gave cannot be used."""

    exit_code = 2


class ImageError(InputError):
    """An image is missing, damaged, or of an unsupported format."""


class ForkedError(InputError):
    """A classifier is used in a process that was forked after it was opened."""


class MissingDependencyError(EdgekdError):
    """A package that this step needs is not installed.

    Args:
        package: Name of the distribution for pip.
        extra: The extra of edgekd that installs it.
        purpose: What it is needed for, to complete "… is needed to …".
        message: Replaces the default message.
        hint: Replaces the default hint, for packages that no extra of edgekd installs.
    """

    exit_code = 3

    def __init__(
        self, package: str, extra: str, purpose: str, *, message: str = "", hint: str = ""
    ) -> None:
        default = f"{package} is not installed; it is needed to {purpose}"
        super().__init__(message or default, hint or f"pip install 'edgekd[{extra}]'")
        self.package = package
        self.extra = extra


class GateFailedError(EdgekdError):
    """A lowered file lost more than its gate allows, or the evidence for the gate is missing."""

    exit_code = 4


class DeviceUnreachableError(EdgekdError):
    """A device that is configured does not answer."""

    exit_code = 5


class ArtefactError(EdgekdError):
    """A bundle or model file is damaged, of an unknown version, or of the wrong kind."""

    exit_code = 6


class StoppedError(BaseException):
    """A signal asked the run to end, and what it had done is saved; it passes handlers of errors.

    Args:
        message: One line: what is saved, and how to go on.
        exit_code: 128 + the number of the signal, as of a process that a signal has ended.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
