"""Values in small files of the kernel."""

from __future__ import annotations

from edgekd.bench.measure.sysfs import field, number, text


def test_text_and_numbers(tmp_path) -> None:
    file = tmp_path / "value"
    file.write_bytes(b"Raspberry Pi 5\0\n")
    assert text(file) == "Raspberry Pi 5"
    assert number(file) is None
    file.write_text("-1500\n")
    assert number(file) == -1500
    file.write_text("\n")
    assert text(file) is number(file) is None
    assert text(tmp_path / "none") is number(tmp_path / "none") is None


def test_the_first_line_of_a_name_counts(tmp_path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: Xeon: Gold\nflags : a b\nmodel name : other\n")
    assert field(file, "model name") == "Xeon: Gold"
    assert field(file, "model") == ""
    assert field(tmp_path / "none", "model name") == ""
