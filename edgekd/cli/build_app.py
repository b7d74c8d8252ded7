"""`edgekd build --app`: a bundle in a copy of its target's app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.cli.console import say
from edgekd.errors import InputError

if TYPE_CHECKING:
    from edgekd.lower.built import BuiltBundle
    from edgekd.targets import Target

__all__ = ["app_target", "write_built_app", "write_target_app"]


def app_target(
    target: str | None,
    app: Path | None,
    bundle: Path | None,
    public_key: Path | None,
    precision: str,
) -> Target | None:
    """The one target whose app is to be written; None without `--app`.

    Raises:
        InputError: The options do not belong together, the target has no app, or there is something
            at `app` already.
    """
    if app is None:
        if bundle is not None or public_key is not None:
            message = "--bundle and --public-key are for --app"
            raise InputError(message, "say with --app where the app is to go")
        return None
    if public_key is not None and bundle is None:
        message = "--public-key is for a signed bundle, and one that is built now is not signed yet"
        raise InputError(message, "build it, sign it with `edgekd sign`, and give it with --bundle")
    if "," in precision:
        raise InputError("--app is for one bundle", "give one --precision")
    from edgekd.lower.app import check_app_place
    from edgekd.targets import resolve_targets

    targets = resolve_targets(target) if target else []
    if len(targets) != 1:
        raise InputError("--app is for one target", "name it with --target")
    check_app_place(targets[0], app)
    return targets[0]


def write_target_app(target: Target, bundle: Path, app: Path, public_key: Path | None) -> None:
    """Write the app of a target with a bundle, and print how it is built."""
    from edgekd.lower.app import check_app_place, write_app

    command = check_app_place(target, app).command
    write_app(target, bundle, app, public_key)
    say(f"wrote {app} with {bundle}; build it there: {command}")


def write_built_app(target: Target, built: list[BuiltBundle], app: Path) -> None:
    """Write the app with the bundle that was built; none where it failed."""
    for bundle in built:
        if bundle.path is not None:
            write_target_app(target, bundle.path, app, None)
