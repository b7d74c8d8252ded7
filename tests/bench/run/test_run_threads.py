"""The thread counts of a sweep."""

from __future__ import annotations

import pytest

from edgekd.bench.measure.flags import Flag
from edgekd.bench.run.threads import parse_threads, threads_on, within_cores
from edgekd.errors import InputError


def test_each_count_once_in_the_order_given():
    assert parse_threads("4") == (4,)
    assert parse_threads("2, 1,4,2") == (2, 1, 4)


@pytest.mark.parametrize("text", ["", "1,,2", "two", "1.5", "0", "1,-2"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(InputError) as caught:
        parse_threads(text)
    assert caught.value.hint == "write e.g. 1,2,4"


def test_a_device_says_how_many_threads_it_is_measured_with():
    assert threads_on({"default_threads": 2, "cores": 8}) == 2
    assert threads_on({"cores": 8}) == 4
    assert threads_on({"cores": 1}) == 1
    assert threads_on({}) == 1


def test_more_threads_than_cores_are_noted():
    kept, notes = within_cores((1, 2, 4, 8), 2)
    assert kept == (1, 2)
    assert notes == [
        Flag("threads", "4 were requested, the device has 2 usable cores"),
        Flag("threads", "8 were requested, the device has 2 usable cores"),
    ]
    assert within_cores((3,), 1) == (
        (1,),
        [Flag("threads", "3 were requested, the device has 1 usable core")],
    )


def test_all_counts_stay_where_they_fit_or_nothing_is_known():
    assert within_cores((1, 2, 4), 4) == ((1, 2, 4), [])
    assert within_cores((64,), None) == ((64,), [])
