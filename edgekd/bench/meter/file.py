"""The CSV of a power meter, read while it grows or when it is complete."""

from __future__ import annotations

import csv
import math
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from edgekd.errors import InputError

__all__ = ["PowerMeter", "PowerReading"]

_TIME, _WATTS, _VOLTS, _AMPERES = "time", "watts", "volts", "amperes"
_DELIMITERS = ",;\t"
_UNIX_TIMES = (1e9, 1e11)
"""Seconds, from 2001 on. Larger values are milliseconds, smaller ones not Unix time."""
_FRACTION = re.compile(r"\.(\d+)")
_QUOTED = 60
"""Most characters of a file that a message quotes."""
_PATIENCE_S = 10.0
_PAUSE_S = 0.1
_HINT = "it has a header and the columns time and watts, or time, volts and amperes"


class PowerReading(NamedTuple):
    """One reading: Unix time in seconds, and power in watts."""

    time: float
    watts: float


class PowerMeter:
    """The file of a power meter; every reading is parsed once.

    Args:
        path: The CSV: `time` in Unix seconds or in ISO 8601 with its zone, and `watts`, or `volts`
            and `amperes`; other columns are ignored.
        patience_s: Seconds to wait for readings that a logger has not written yet; None waits ten.

    Raises:
        InputError: There is no such file, or a line cannot be parsed.
    """

    def __init__(self, path: Path, *, patience_s: float | None = None) -> None:
        self.path = path
        self._patience_s = _PATIENCE_S if patience_s is None else patience_s
        self._size = 0  # bytes that were read
        self._lines = 0
        self._delimiter = ","
        self._watts: Callable[[Sequence[str]], float] | None = None
        self._time_column = 0
        self._readings: list[PowerReading] = []
        self.read_on()
        if self._watts is None:
            raise InputError(f"the meter's file {path} has no header yet", _HINT)

    @property
    def name(self) -> str:
        """Name of the meter in results."""
        return f"external meter {self.path.name}, whole device"

    def until(self, moment: float) -> list[PowerReading]:
        """All readings, in order, once there is one of `moment` or later.

        Args:
            moment: Unix time, seconds.

        Raises:
            InputError: The file ends before that and does not grow, or a line cannot be parsed.
        """
        end = time.monotonic() + self._patience_s
        while not self._readings or self._readings[-1].time < moment:
            self.read_on()
            if self._readings and self._readings[-1].time >= moment:
                break
            if time.monotonic() >= end:
                raise self._too_short(moment)
            time.sleep(_PAUSE_S)
        return self._readings

    def _too_short(self, moment: float) -> InputError:
        if not self._readings:
            message = f"the meter's file {self.path.name} has no reading"
        else:
            early = moment - self._readings[-1].time
            message = f"the meter's file {self.path.name} ends {early:.1f} s before the work did"
        return InputError(message, "let the meter log as long as edgekd measures")

    def read_on(self) -> None:
        """Parse the lines that were added, except a last one that is not terminated yet.

        Raises:
            InputError: The file cannot be read, or a line cannot be parsed.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._size)
                added = file.read()
        except OSError as error:
            message = f"cannot read the meter's file {self.path}: {error.strerror}"
            raise InputError(message, "start the meter's logger first") from error
        for line in added.split(b"\n")[:-1]:
            self._take_line(line)
            # Only now, so that a line that cannot be parsed is refused every time, never skipped.
            self._size += len(line) + 1
            self._lines += 1

    def _take_line(self, line: bytes) -> None:
        try:
            text = line.decode("utf-8-sig" if self._size == 0 else "utf-8").strip("\r")
        except UnicodeDecodeError as error:
            raise self._wrong("it is no UTF-8 text") from error
        if not text.strip():
            return
        if self._watts is None:
            self._take_header(text)
        else:
            self._take(text, self._watts)

    def _take(self, line: str, watts: Callable[[Sequence[str]], float]) -> None:
        try:
            cells = self._cells(line)
            reading = PowerReading(_unix_time(cells[self._time_column]), watts(cells))
        except (ValueError, IndexError) as error:
            message = (
                str(error)
                if isinstance(error, _UnreadableError)
                else f"{_quoted(line)} has no numbers"
            )
            raise self._wrong(message) from error
        if self._readings and reading.time < self._readings[-1].time:
            raise self._wrong("its time is earlier than that of the line before")
        self._readings.append(reading)

    def _take_header(self, line: str) -> None:
        self._delimiter = max(_DELIMITERS, key=line.count)
        names = [cell.strip().casefold() for cell in self._cells(line)]
        if _TIME in names and _WATTS in names:
            at = names.index(_WATTS)
            self._watts = lambda cells: _number(cells[at])
        elif {_TIME, _VOLTS, _AMPERES} <= set(names):
            volts, amperes = names.index(_VOLTS), names.index(_AMPERES)
            self._watts = lambda cells: _number(cells[volts]) * _number(cells[amperes])
        else:
            raise InputError(f"the meter's file {self.path} begins with {_quoted(line)}", _HINT)
        self._time_column = names.index(_TIME)

    def _cells(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self._delimiter))
        except csv.Error as error:
            raise self._wrong(f"it is no line of a CSV: {error}") from error

    def _wrong(self, message: str) -> InputError:
        return InputError(
            f"line {self._lines + 1} of the meter's file {self.path}: {message}", _HINT
        )


class _UnreadableError(ValueError):
    """A cell that cannot be parsed; the message is for the user."""


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]} …")


def _number(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):
        raise _UnreadableError(f"{_quoted(cell)} is no number")
    return value


def _unix_time(cell: str) -> float:
    try:
        seconds = _number(cell)
    except ValueError:
        return _from_iso(cell.strip())
    if not _UNIX_TIMES[0] <= seconds < _UNIX_TIMES[1]:
        raise _UnreadableError(f"the time {_quoted(cell)} is not in Unix seconds")
    return seconds


def _from_iso(cell: str) -> float:
    # Python 3.10 accepts no Z, and only fractions of three or six digits.
    text = cell[:-1] + "+00:00" if cell[-1:] in ("Z", "z") else cell
    text = _FRACTION.sub(lambda found: f".{found[1][:6]:<06}", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"the time {_quoted(cell)} is neither Unix seconds nor ISO 8601"
        raise _UnreadableError(message) from error
    if moment.tzinfo is None:
        raise _UnreadableError(f"the time {_quoted(cell)} has no zone")
    return moment.timestamp()
