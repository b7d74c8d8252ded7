"""The CPUs of the boards: what qemu is told, and the files by which programs know a CPU.

Without the files, libraries read the host's x86 `/proc/cpuinfo` (ONNX Runtime 1.28 and later
crashes at that) or stumble over an incomplete CPU tree (OpenVINO's hwloc).

Source: Arm's technical reference manuals of the Cortex-A57, A72 and A76 (MIDR_EL1, caches);
Documentation/ABI/testing/sysfs-devices-system-cpu of Linux.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CORES = 4
_ARMV8_CRYPTO = "aes pmull sha1 sha2"


@dataclass(frozen=True)
class Profile:
    """A board's CPU. `midr` is MIDR_EL1; the caches are in KiB, `l2` for all cores together."""

    title: str
    hostname: str
    qemu_cpu: str
    midr: int
    features: str
    l1d: int
    l1i: int
    l2: int

    def cpuinfo(self) -> str:
        """The text of `/proc/cpuinfo`; its Model line owns up to the emulation."""
        core = (
            "processor\t: {index}\nBogoMIPS\t: 108.00\n"
            f"Features\t: {self.features}\n"
            f"CPU implementer\t: {self.midr >> 24:#04x}\nCPU architecture: 8\n"
            f"CPU variant\t: {self.midr >> 20 & 0xF:#x}\n"
            f"CPU part\t: {self.midr >> 4 & 0xFFF:#05x}\nCPU revision\t: {self.midr & 0xF}\n\n"
        )
        cores = "".join(core.format(index=index) for index in range(CORES))
        return f"{cores}Model\t\t: {self.model}\n"

    @property
    def model(self) -> str:
        """What the board calls itself."""
        return f"qemu-user stand-in for {self.title}"


PROFILES = {
    "rpi4": Profile(
        title="Raspberry Pi 4",
        hostname="raspberrypi",
        qemu_cpu="cortex-a72",
        midr=0x410FD083,
        features="fp asimd evtstrm crc32 cpuid",  # Broadcom left the crypto extension out
        l1d=32,
        l1i=48,
        l2=1024,
    ),
    "rpi5": Profile(
        title="Raspberry Pi 5",
        hostname="raspberrypi",
        qemu_cpu="cortex-a76",
        midr=0x414FD0B1,
        features=(
            f"fp asimd evtstrm {_ARMV8_CRYPTO} crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc "
            "dcpop asimddp"
        ),
        l1d=64,
        l1i=64,
        l2=512,
    ),
    "jetson-nano": Profile(
        title="Jetson Nano (CPU only)",
        hostname="jetson-nano",
        qemu_cpu="cortex-a57",
        midr=0x411FD071,
        features=f"fp asimd evtstrm {_ARMV8_CRYPTO} crc32",
        l1d=32,
        l1i=48,
        l2=2048,
    ),
    # No board: every extension that qemu knows. Its SVE misleads LiteRT's int8 kernels.
    "max": Profile(
        title="every extension that qemu knows",
        hostname="max",
        qemu_cpu="max",
        midr=0x414FD0B1,
        features=f"fp asimd evtstrm {_ARMV8_CRYPTO} crc32 atomics asimddp sve",
        l1d=64,
        l1i=64,
        l2=512,
    ),
}


def write_files(profile: Profile, folder: Path) -> None:
    """Write `cpuinfo` and a `sys` tree below `folder`."""
    (folder / "cpuinfo").write_text(profile.cpuinfo())
    _write(folder / "sys/firmware/devicetree/base", {"model": f"{profile.model}\0"})
    cpus = folder / "sys/devices/system/cpu"
    present = dict.fromkeys(("possible", "present", "online"), f"0-{CORES - 1}")
    _write(cpus, {**present, "kernel_max": str(CORES - 1)})
    for index in range(CORES):
        _write_core(profile, cpus / f"cpu{index}", index)


def _write_core(profile: Profile, folder: Path, index: int) -> None:
    own, everyone = (str(index), f"{1 << index:x}"), (f"0-{CORES - 1}", f"{(1 << CORES) - 1:x}")
    identification = {"midr_el1": f"{profile.midr:#018x}", "revidr_el1": f"{0:#018x}"}
    _write(folder / "regs/identification", identification)
    _write(folder / "topology", _topology(index, own, everyone))
    caches = (
        ("1", "Data", profile.l1d, own),
        ("1", "Instruction", profile.l1i, own),
        ("2", "Unified", profile.l2, everyone),
    )
    for number, (level, kind, size, (shared, mask)) in enumerate(caches):
        facts = {"level": level, "type": kind, "size": f"{size}K", "coherency_line_size": "64"}
        facts |= {"shared_cpu_list": shared, "shared_cpu_map": mask}
        _write(folder / f"cache/index{number}", facts)


def _topology(index: int, own: tuple[str, str], everyone: tuple[str, str]) -> dict[str, str]:
    facts = {"physical_package_id": "0", "cluster_id": "0", "core_id": str(index)}
    for name, (listed, mask) in {
        "core_cpus": own,
        "thread_siblings": own,
        "core_siblings": everyone,
        "package_cpus": everyone,
        "cluster_cpus": everyone,
    }.items():
        facts |= {f"{name}_list": listed, name: mask}
    return facts


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text if text.endswith("\0") else f"{text}\n")
