"""Kill a training again and again at random moments: it must come to the same weights.

    python benchmarks/kill_resume.py --rounds 20 --out runs/kill-resume

An undisturbed run of the recipe gives the weights. Then the same command is started and killed
with SIGKILL after a random, seeded time, as often as `--rounds` says; each start continues in the
same folder. A run that comes to its end is compared with the undisturbed one, byte for byte, and
the next start begins in an empty folder, with an empty cache. After each kill every training
checkpoint has to be whole. The last start is left alone.

Exit code 1 where a checkpoint is damaged, a start fails, or weights differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edgekd.seals import flaw_of

NETWORKS = ("teacher", "student")
SHARE = 0.4  # the longest time before a kill, as a share of the undisturbed run's


@dataclass
class Round:
    """One start of the command.

    Attributes:
        seconds: Until it was killed, or ended.
        ending: `killed`, `finished`, or its exit code.
        reached: The last line that it had written.
        damages: Training checkpoints that were not whole afterwards.
        equal: Of a run that finished: whether its weights are those of the undisturbed run.
    """

    seconds: float
    ending: str
    reached: str
    damages: list[str]
    equal: bool | None = None


def weights_of(out: Path) -> dict[str, str]:
    """SHA-256 of the weights of each network."""
    files = {name: out / "run" / name / "model.safetensors" for name in NETWORKS}
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for name, file in files.items()
        if file.is_file()
    }


def damages_of(out: Path) -> list[str]:
    """Training checkpoints that are not whole."""
    flaws = {file: flaw_of(file, None) for file in out.rglob("*.ckpt")}
    return [f"{file.relative_to(out)} {flaw}" for file, flaw in flaws.items() if flaw]


def start(recipe: str, out: Path, settings: list[str], limit: float | None) -> Round:
    """Start the command, and kill it after so many seconds."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "edgekd", "distill", recipe, "--out", str(out / "run")]
    command += [argument for setting in settings for argument in ("--set", setting)]
    log = out / "output.log"
    environment = {**os.environ, "EDGEKD_CACHE": str(out / "cache")}
    begun = time.monotonic()
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, env=environment, start_new_session=True
        )
        try:
            ending = {0: "finished"}.get(code := process.wait(limit), str(code))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            ending = "killed"
    lines = log.read_text(errors="replace").splitlines()
    seconds = round(time.monotonic() - begun, 2)
    return Round(seconds, ending, lines[-1].strip() if lines else "", damages_of(out))


def settings_of(arguments: argparse.Namespace) -> list[str]:
    minutes = arguments.interval / 60
    return ["trainer.threads=1", f"trainer.checkpoint.minutes={minutes:.6f}", *arguments.settings]


def killed_often(
    arguments: argparse.Namespace, whole: Round, wanted: dict[str, str]
) -> list[Round]:
    """The rounds, and those starts between them that came to their end."""
    draw, out, kills = random.Random(arguments.seed), arguments.out / "killed", 0
    rounds: list[Round] = []
    while True:
        last = kills == arguments.rounds
        limit = None if last else draw.uniform(0.0, SHARE * whole.seconds)
        each = start(arguments.recipe, out, settings_of(arguments), limit)
        if each.ending == "finished":
            each.equal = weights_of(out) == wanted
        rounds.append(each)
        kills += each.ending == "killed"
        print(f"{kills:3} {each.ending:9} {each.seconds:7.2f} s  {each.reached}", flush=True)
        if last or each.ending not in ("killed", "finished"):
            return rounds
        if each.ending == "finished":
            shutil.rmtree(out)


def main() -> int:
    """Run all rounds; see the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--recipe", default="demo-ssd-kd")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between checkpoints")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("runs/kill-resume"))
    parser.add_argument("--json", type=Path, help="file for the rounds")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.out, ignore_errors=True)
    whole = start(arguments.recipe, arguments.out / "whole", settings_of(arguments), None)
    wanted = weights_of(arguments.out / "whole")
    print(f"undisturbed: {whole.ending} after {whole.seconds} s, {wanted}", flush=True)
    if whole.ending != "finished":
        return 1
    rounds = killed_often(arguments, whole, wanted)
    ends = [each for each in rounds if each.ending != "killed"]
    passed = all(each.equal for each in ends) and not any(each.damages for each in rounds)
    kills = len(rounds) - len(ends)
    print(f"{kills} kills, {len(ends)} runs to the end; {'all equal' if passed else 'FAILED'}")
    if arguments.json:
        result = {"weights": wanted, "rounds": [asdict(each) for each in rounds], "passed": passed}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
