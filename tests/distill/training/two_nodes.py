"""Two nodes on one machine: two network namespaces with a cable between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ADDRESSES = ("10.77.0.1", "10.77.0.2")


def obstacle() -> str:
    """Why this machine cannot have namespaces; "" if it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        name = f"edgekd-{os.getpid()}-try"
        tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
    except FileNotFoundError:
        return "network namespaces need ip (iproute2)"
    return "" if tried.returncode == 0 else f"ip netns add: {tried.stderr.strip()}"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)


@dataclass(frozen=True)
class Nodes:
    """The two nodes.

    Attributes:
        names: Their namespaces.
        cables: The ends of the cable between them.
    """

    names: tuple[str, str]
    cables: tuple[str, str]

    def cut(self) -> None:
        """Pull the cable: no message that the other one is gone."""
        ip("-n", self.names[1], "link", "set", self.cables[1], "down")

    def start(self, number: int, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start `edgekd …` on a node, by torchrun, in a session of its own."""
        launcher = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
            "--node-rank", str(number), "--master-addr", ADDRESSES[0], "--master-port", "29511",
            "--max-restarts", "0", "-m", "edgekd",
        ]  # fmt: skip
        environment = {
            **os.environ, "GLOO_SOCKET_IFNAME": self.cables[number], "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        with log.open("wb") as stream:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.names[number], *launcher, *command],
                stdout=stream, stderr=stream, env=environment, start_new_session=True,
            )  # fmt: skip


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """Two nodes; all of their processes are ended when the block ends."""
    tag = os.getpid() % 10**6
    nodes = Nodes((f"ek{tag}a", f"ek{tag}b"), (f"ek{tag}x", f"ek{tag}y"))
    try:
        for name in nodes.names:
            ip("netns", "add", name)
        one, other = nodes.cables
        ip("link", "add", one, "netns", nodes.names[0], "type", "veth",
           "peer", "name", other, "netns", nodes.names[1])  # fmt: skip
        for name, cable, address in zip(nodes.names, nodes.cables, ADDRESSES, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", cable, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield nodes
    finally:
        for name in nodes.names:
            end_all(name)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def processes_on(name: str) -> list[int]:
    """The processes of a node."""
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    return [int(number) for number in listed.stdout.split()]


def end_all(name: str) -> None:
    """Kill all processes of a node, as a power cut does."""
    for number in processes_on(name):
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
