"""An external power meter: its file, the clocks, and the power of a row's work."""

from edgekd.bench.meter.clocks import ClockReading, JobInterval, clock_offset
from edgekd.bench.meter.file import PowerMeter, PowerReading
from edgekd.bench.meter.power import MeteredEnergy, metered_energy

__all__ = [
    "ClockReading",
    "JobInterval",
    "MeteredEnergy",
    "PowerMeter",
    "PowerReading",
    "clock_offset",
    "metered_energy",
]
