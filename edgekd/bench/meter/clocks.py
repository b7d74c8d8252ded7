"""Translation of a device's clock to the wall clock of this machine.

A job is sent from here, begins there, ends there, and its answer arrives here: these four moments
bound the offset of the device's clock (Mills et al. 2010, RFC 5905, section 8).
"""

from __future__ import annotations

import time
from typing import NamedTuple

from edgekd.bench.measure.energy import WorkTimes
from edgekd.errors import InputError

__all__ = ["ClockReading", "JobInterval", "Offset", "clock_offset"]

_MAX_JUMP_S = 0.1
_MAX_SLEW = 1e-3
"""Seconds per second: time services may slew each of the two clocks by 0.5 ms a second."""


class ClockReading(NamedTuple):
    """Both clocks of this machine at one moment, in seconds: Unix time and the monotonic one."""

    unix: float
    monotonic: float

    @classmethod
    def now(cls) -> ClockReading:
        """The clocks now."""
        return cls(time.time(), time.monotonic())


class JobInterval(NamedTuple):
    """This machine's clocks just before a job was sent, and just after its answer arrived."""

    before: ClockReading
    after: ClockReading


class Offset(NamedTuple):
    """Unix time of this machine minus the device's monotonic clock, in seconds.

    `error` bounds the error of `seconds` on either side.
    """

    seconds: float
    error: float


def clock_offset(times: WorkTimes, job: JobInterval, *, same_clock: bool) -> Offset:
    """The offset of a device's monotonic clock from this machine's Unix time.

    Args:
        times: Times of the work by the device's clock.
        job: This machine's clocks around the job.
        same_clock: Whether the device is this machine.

    Raises:
        InputError: This machine's clock was set meanwhile, or the two contradict each other.
    """
    before, after = job
    took = after.monotonic - before.monotonic
    jump = (after.unix - before.unix) - took
    if abs(jump) > _MAX_JUMP_S + _MAX_SLEW * took:
        message = f"this machine's clock was set by {jump:+.1f} s while power was measured"
        raise InputError(message, "measure again")
    if same_clock:
        return Offset(after.unix - after.monotonic, abs(jump))
    # The process began after the job was sent, and its work ended before the answer came.
    least = before.unix - times.began
    most = after.unix - times.active[1]
    slewed = _MAX_SLEW * took
    if most < least - slewed:
        apart = least - most
        message = f"the clocks of this machine and the device ran {apart:.1f} s apart"
        raise InputError(message, "measure again")
    return Offset((least + most) / 2, abs(most - least) / 2 + slewed)
