"""The meter's CSV: what is understood, what is refused in one line, and what comes later."""

from __future__ import annotations

import threading

import pytest

from edgekd.bench.meter import PowerMeter, PowerReading
from edgekd.errors import InputError

NOON = 1_764_072_000.0  # 2025-11-25 12:00 UTC


def written(folder, text: str, encoding: str = "utf-8"):
    file = folder / "meter.csv"
    file.write_bytes(text.encode(encoding))
    return file


def readings(folder, text: str, encoding: str = "utf-8"):
    return PowerMeter(written(folder, text, encoding), patience_s=0.0).until(0.0)


@pytest.mark.parametrize(
    "text",
    [
        f"time,watts\n{NOON},4.5\n",
        f"Time;Note; WATTS\n{NOON:.0f};lab;4.5\n",
        f"time\tvolts\tamperes\r\n{NOON}\t5.0\t0.9\r\n",
        "watts,time\n4.5,2025-11-25T12:00:00Z\n",
        "time,watts\n\n2025-11-25T13:00:00.0+01:00,4.5\n\n",
        f'time,watts\n"{NOON}","4.5"\n',
    ],
)
def test_what_is_understood(tmp_path, text):
    assert readings(tmp_path, text) == [PowerReading(NOON, pytest.approx(4.5))]
    assert readings(tmp_path, text, "utf-8-sig") == [PowerReading(NOON, pytest.approx(4.5))]


@pytest.mark.parametrize("fraction, seconds", [(".25", 0.25), (".1234567", 0.123456), ("", 0.0)])
def test_fractions_of_iso_times(tmp_path, fraction, seconds):
    (reading,) = readings(tmp_path, f"time,watts\n2025-11-25T12:00:00{fraction}Z,1\n")
    assert reading.time - NOON == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no header"),
        ("time,watts", "no header"),
        ("when,watts\n", "begins with 'when,watts'"),
        ("time,volts\n", "begins with"),
        (f"{NOON},4.5\n", "begins with"),
        (f"time,watts\n{NOON},much\n", "line 2 .*'.*much' has no numbers"),
        (f"time,watts\n{NOON}\n", "line 2 .*has no numbers"),
        (f"time,watts\n{NOON},nan\n", "line 2 .*'nan' is no number"),
        (f"time,watts\n{NOON},1\n{NOON},\n", "line 3 "),
        ("time,watts\n12.5,1\n", "time '12.5' is not in Unix seconds"),
        (f"time,watts\n{NOON * 1000:.0f},1\n", "not in Unix seconds"),
        ("time,watts\n2025-11-25T12:00:00,1\n", "has no zone"),
        (f"time,watts\n{NOON},{'1' * 200_000}\n", "line 2 .*no line of a CSV"),
        ("x" * 200_000 + "\n", "line 1 .*no line of a CSV"),
        (f"time,watts\n{'noon' * 99},1\n", "line 2 .*noonnoon …' is neither"),
        ("time,watts\nnoon,1\n", "'noon' is neither"),
        (f"time,watts\n{NOON},1\n{NOON - 1},1\n", "line 3 .*earlier than that of the line before"),
    ],
)
def test_what_is_refused(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as caught:
        PowerMeter(written(tmp_path, text))
    assert str(tmp_path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_no_file_and_no_text(tmp_path):
    with pytest.raises(InputError, match="No such file") as caught:
        PowerMeter(tmp_path / "nothing.csv")
    assert "start the meter's logger" in caught.value.hint
    with pytest.raises(InputError, match="no UTF-8 text"):
        PowerMeter(written(tmp_path, "time,watts\n\xff\xfe\n", "latin-1"))


def test_a_line_counts_once_it_is_ended(tmp_path):
    file = written(tmp_path, f"time,watts\n{NOON},1\n{NOON + 1},12")
    meter = PowerMeter(file, patience_s=0.0)
    assert meter.until(NOON) == [PowerReading(NOON, 1.0)]
    with file.open("a") as growing:
        growing.write("3\n")
    assert meter.until(NOON + 1) == [PowerReading(NOON, 1.0), PowerReading(NOON + 1, 123.0)]


def test_a_growing_file_is_waited_for(tmp_path):
    file = written(tmp_path, "time,watts\n")
    meter = PowerMeter(file, patience_s=60.0)
    asked = threading.Event()

    def log() -> None:
        asked.wait()
        for second in range(3):
            with file.open("a") as growing:
                growing.write(f"{NOON + second},2\n")

    logger = threading.Thread(target=log)
    logger.start()
    asked.set()
    assert len(meter.until(NOON + 2)) == 3
    logger.join()


def test_a_file_that_ends_too_early(tmp_path):
    meter = PowerMeter(written(tmp_path, "time,watts\n"), patience_s=0.0)
    with pytest.raises(InputError, match="has no reading"):
        meter.until(NOON)
    meter = PowerMeter(written(tmp_path, f"time,watts\n{NOON},1\n"), patience_s=0.0)
    with pytest.raises(InputError, match=r"ends 2\.5 s before the work did"):
        meter.until(NOON + 2.5)


def test_what_is_written_later_may_be_wrong_too(tmp_path):
    file = written(tmp_path, f"time,watts\n{NOON},1\n")
    meter = PowerMeter(file, patience_s=0.0)
    with file.open("a") as growing:
        growing.write(f"the logger was stopped\n{NOON + 1},1\n")
    for _ in range(2):  # nothing is passed over, however often it is asked for
        with pytest.raises(InputError, match="line 3 "):
            meter.until(NOON + 1)
