"""Requests that make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.errors import InputError

QUIET = Console(quiet=True)


def run(request: BenchRequest):
    return run_benchmark(request, console=QUIET)


def test_nonsense_is_refused_before_anything_is_loaded(data, make_bundle):
    good = BenchRequest(device="cpu", data=data, bundles=[make_bundle()])
    for change in (
        {"device": "toaster"},
        {"preset": "sloppy"},
        {"bundles": []},
        {"threads": 0},
        {"limit": -1},
        {"data": replace(data, images=[])},
    ):
        with pytest.raises(InputError) as caught:
            run(replace(good, **change))
        assert caught.value.hint
