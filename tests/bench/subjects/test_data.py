"""Labelled images: a limit over the strata, labels that cannot be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.errors import InputError

QUIET = Console(quiet=True)


def run(request: BenchRequest):
    return run_benchmark(request, console=QUIET)


def test_a_label_that_is_no_class_is_refused(data, make_bundle):
    wrong = replace(data, images=[(data.images[0][0], "naevus")])
    with pytest.raises(InputError, match="naevus"):
        run(BenchRequest(device="rpi", data=wrong, bundles=[make_bundle("rpi")]))


def test_limit_is_even_over_the_classes(data):
    limited = data.limited(9)
    assert Counter(limited.labels) == {"mel": 3, "nv": 3, "bkl": 3}
    assert limited == data.limited(9)
    assert data.limited(None) is data
    assert data.limited(99) is data
