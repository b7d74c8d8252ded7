"""A power meter outside of the device: its file, its clock, and what it saw of a row's work."""

from edgekd.bench.meter.clocks import Asked, Moment, clock_offset
from edgekd.bench.meter.file import PowerMeter, Reading
from edgekd.bench.meter.power import MeteredEnergy, metered_energy

__all__ = [
    "Asked",
    "MeteredEnergy",
    "Moment",
    "PowerMeter",
    "Reading",
    "clock_offset",
    "metered_energy",
]
