"""Facts of this machine."""

from __future__ import annotations

import os
import platform

import numpy as np

from edgekd.bench.measure.machine import (
    default_threads,
    local_facts,
    runtime_versions,
    temperatures,
)


def test_facts_are_those_of_this_machine() -> None:
    facts = local_facts()
    assert facts["cores"] == os.cpu_count()
    assert facts["python"] == platform.python_version()
    assert 1 <= facts["cores_usable"] <= facts["cores"]
    assert facts["packages"] == runtime_versions()
    assert None not in facts.values()


def test_versions_are_those_installed() -> None:
    assert runtime_versions()["numpy"] == np.__version__


def test_threads_and_temperatures() -> None:
    assert 1 <= default_threads() <= 4
    assert all(-50 < degrees < 150 for degrees in temperatures().values())
