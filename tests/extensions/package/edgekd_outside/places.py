"""Where the files of the target and of the policy are."""

from pathlib import Path

TARGET = Path(__file__).parent / "target"
POLICY = Path(__file__).parent / "policy.toml"
