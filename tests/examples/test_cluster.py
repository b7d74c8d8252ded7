"""The files for SLURM and Kubernetes, and the recipe lines of their page."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import typer
import yaml

from edgekd.cli import app
from edgekd.recipe import TrainerSection, convert

SECTION = re.compile(r"trainer: (\{[^}]*\})")


def parsed(command: list[str]) -> dict[str, Any]:
    """The options of `edgekd distill …`, as the program understands them."""
    verb, *words = command
    distill = typer.main.get_command(app).commands[verb]
    return distill.make_context(verb, words, resilient_parsing=True).params


def test_slurm(examples: Path) -> None:
    file = examples / "cluster" / "slurm.sbatch"
    text = file.read_text()
    assert subprocess.run(["bash", "-n", file], check=False).returncode == 0
    (line,) = re.findall(r"(?m)^srun .* edgekd (.*)$", text)
    assert parsed(shlex.split(line)).keys() >= {"recipe", "out"}
    options = dict(re.findall(r"(?m)^#SBATCH --([a-z-]+)=(\S+)", text))
    section = convert(yaml.safe_load(SECTION.search(text)[1]), TrainerSection, "its comment")
    assert int(options["nodes"]) == section.nodes
    assert int(options["ntasks-per-node"]) == int(options["gpus-per-node"]) == section.devices
    assert options["signal"].startswith("USR1@")  # to the tasks of srun, not to this script
    assert '"$code" -eq 138' in text  # 128 + SIGUSR1


def test_kubernetes(examples: Path) -> None:
    text = (examples / "cluster" / "kubernetes.yaml").read_text()
    service, job = yaml.safe_load_all(text)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    command = container["command"]
    options = dict(word[2:].split("=", 1) for word in command if "=" in word)
    section = convert(yaml.safe_load(SECTION.search(text)[1]), TrainerSection, "its comment")
    assert section.nodes == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert int(options["nnodes"]) == section.nodes
    assert int(options["nproc-per-node"]) == section.devices
    assert options["master-addr"] == f"{job['metadata']['name']}-0.{pod['subdomain']}"
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    given = parsed(command[command.index("edgekd") + 1 :])
    assert str(given["recipe"]) == "/shared/recipe.yaml"
    claims = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claims


def test_the_recipe_lines_of_the_page(examples: Path) -> None:
    page = (examples.parent / "docs" / "training-on-a-cluster.md").read_text()
    (lines,) = re.findall(r"(?s)```yaml\n(.*?)```", page)
    section = convert(yaml.safe_load(lines)["trainer"], TrainerSection, "the page")
    assert (section.nodes, section.devices) == (2, 4)
