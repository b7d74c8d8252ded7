"""The pictures of the page, as inline SVG that takes its colours from the page."""

from edgekd.bench.report.pictures.bars import decisions, energy, memory, sizes
from edgekd.bench.report.pictures.classes import class_pictures
from edgekd.bench.report.pictures.scatter import accuracy_latency, pareto
from edgekd.bench.report.pictures.times import histograms, sustained, thread_sweep

__all__ = [
    "accuracy_latency",
    "class_pictures",
    "decisions",
    "energy",
    "histograms",
    "memory",
    "pareto",
    "sizes",
    "sustained",
    "thread_sweep",
]
