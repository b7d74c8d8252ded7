"""devices.toml: the configured devices, and how each is reached.

    [rpi]
    kind = "ssh"
    host = "pi@derm-1"

Each section is a device. It is looked up in `./devices.toml`, in the file that `EDGEKD_DEVICES`
names, and in `~/.config/edgekd/devices.toml`; the first file with that section is used. A section
names programs of this machine that are started: use no file from a source that you do not trust.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgekd.errors import InputError
from edgekd.targets import target_names
from edgekd.user_folders import config_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "AdbConfig",
    "ConfiguredDevice",
    "DeviceConfig",
    "EmulatedConfig",
    "SshConfig",
    "configured_names",
    "device_files",
    "find_configured",
    "how_to_add",
]

# ssh and adb would take a leading dash for an option.
Word = Annotated[str, Meta(pattern=r"^[^\s-]\S*$")]
Text = Annotated[str, Meta(min_length=1)]


class _Section(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """Common to all kinds: the target whose bundles run there; by default the section's name."""

    target: str | None = None


class SshConfig(_Section, frozen=True, kw_only=True, tag="ssh"):
    """A board by the system's ssh.

    Attributes:
        host: As on ssh's command line.
        options: Arguments of ssh before the host, such as ["-p", "2222"].
        python: Its Python; `~/` is the board user's home.
        folder: A folder that edgekd may write to there.
    """

    host: Word
    options: list[str] = []
    python: Text = "python3"
    folder: Text = "~/.cache/edgekd-bench"


class AdbConfig(_Section, frozen=True, kw_only=True, tag="adb"):
    """An Android device by the system's adb.

    Without `python` and `benchmark_model`, a `python3` is looked for on it. With both, the program
    times the models and Python computes the answers.

    Attributes:
        serial: As `adb devices` shows it.
        python: Command of its Python, where it has one.
        folder: A folder that edgekd may write to there.
        benchmark_model: Path of LiteRT's `benchmark_model` there.
        push: Whether that path is one of this machine, and the program has to be copied.
        accelerator: `gpu` or `npu`, where the program is to use it.
        options: Further options of the program.
    """

    serial: Word
    python: Text | None = None
    folder: Text = "/data/local/tmp/edgekd"
    benchmark_model: Text | None = None
    push: bool = False
    accelerator: Literal["gpu", "npu"] | None = None
    options: list[str] = []

    def __post_init__(self) -> None:
        if self.benchmark_model is None and (self.push or self.accelerator or self.options):
            raise ValueError("push, accelerator and options belong to benchmark_model")


class EmulatedConfig(_Section, frozen=True, kw_only=True, tag="emulated"):
    """A userland with an emulated processor, on this machine.

    Attributes:
        board: The emulated board, such as `rpi4`.
        enter: The command of this machine that runs its arguments in the userland.
        python: Its Python.
        folder: A folder that edgekd may write to there.
    """

    board: Text
    enter: Annotated[list[Text], Meta(min_length=1)]
    python: Text = "python3"
    folder: Text = "~/.cache/edgekd-bench"


DeviceConfig = SshConfig | AdbConfig | EmulatedConfig


@dataclass(frozen=True)
class ConfiguredDevice:
    """A section of a devices.toml.

    Attributes:
        name: Name of the section.
        target: The target whose bundles run there.
        config: How it is reached.
        file: The file that has the section.
    """

    name: str
    target: str
    config: DeviceConfig
    file: Path

    @property
    def kind(self) -> str:
        """`ssh`, `adb` or `emulated`."""
        return str(type(self.config).__struct_config__.tag)


def find_configured(name: str) -> ConfiguredDevice | None:
    """The device of that name; None where no file has it.

    Raises:
        InputError: One of the files that were read is wrong.
    """
    for file in device_files():
        devices = _read(file)
        if name in devices:
            return ConfiguredDevice(name, _target(file, name, devices[name]), devices[name], file)
    return None


def configured_names() -> list[str]:
    """Names of all devices of all files.

    Raises:
        InputError: A file is wrong.
    """
    return sorted({name for file in device_files() for name in _read(file)})


def device_files() -> list[Path]:
    """The existing files, in the order in which they are searched.

    Raises:
        InputError: `EDGEKD_DEVICES` names no file.
    """
    return list(_device_files())


def how_to_add(name: str) -> str:
    """One line on how to add a device."""
    section = f'[{name}] kind = "ssh", host = "user@address"'
    return f'add it to devices.toml, a key a line: {section} (or kind = "adb", serial = …)'


def _device_files() -> Iterator[Path]:
    here = Path("devices.toml")
    if here.is_file():
        yield here
    if named := os.environ.get("EDGEKD_DEVICES"):
        if not Path(named).is_file():
            message = f"EDGEKD_DEVICES names {named}, and there is no such file"
            raise InputError(message, "correct the variable, or unset it")
        yield Path(named)
    home = config_folder()
    if home is not None and os.path.isfile(home / "devices.toml"):  # noqa: PTH113 - may be closed
        yield home / "devices.toml"


def _read(file: Path) -> dict[str, DeviceConfig]:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}", "correct it") from error
    return {name: _section(file, name, section) for name, section in raw.items()}


def _section(file: Path, name: str, raw: object) -> DeviceConfig:
    try:
        section: DeviceConfig = msgspec.convert(raw, DeviceConfig)
    except msgspec.ValidationError as error:
        message = f"{file}, section [{name}]: {error}"
        hint = 'see kind ("ssh", "adb", "emulated") and the keys that it takes'
        raise InputError(message, hint) from error
    return section


def _target(file: Path, name: str, section: DeviceConfig) -> str:
    target = section.target or name
    known = target_names()
    if target not in known:
        message = f"{file}, section [{name}]: there is no target {target!r}"
        hint = f'say whose bundles run there: target = "{known[-1]}" (known: {", ".join(known)})'
        raise InputError(message, hint)
    return target
