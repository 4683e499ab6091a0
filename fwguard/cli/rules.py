"""`fwguard rules`: check the contract's controls, and see what a change of them would change for whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fwguard.cli.configuration import clean, json_option, print_json

if TYPE_CHECKING:
    from fwguard.model.edge import EdgeState
    from fwguard.rules.preview import Move

_SHOWN = 8


@click.group(short_help="Check the contract's controls, and preview a change of them.")
def command() -> None:
    """Read the folder `rules/`: clauses, their controls, services, thresholds of detectors.

    \b
    Example: fwguard rules diff ./rules --against /etc/fwguard/rules --state edge1.json
    """


@command.command(epilog="Example:  fwguard rules check ./rules")
@click.argument("folder", required=False)
@json_option
@click.pass_context
def check(ctx: click.Context, folder: str | None, as_json: bool) -> None:
    """Check every file of FOLDER (default: the one in force). Exit 0 when all is well, else 2."""
    from fwguard.rules.clauses import digest_of
    from fwguard.rules.preview import check_rules

    path = _folder(folder)
    complaints = check_rules(path)
    digest = "" if complaints else digest_of(path)
    if as_json:
        print_json({"folder": str(path), "digest": digest, "complaints": complaints})
    else:
        for complaint in complaints:
            click.secho(clean(complaint), fg="red", err=True)
        if not complaints:
            click.echo(f"{clean(str(path))}: all is well, digest {digest}")
    ctx.exit(2 if complaints else 0)


@command.command(epilog="Example:  fwguard rules diff ./rules --state edge1.json")
@click.argument("folder")
@click.option("--against", metavar="FOLDER", help="The other folder; default: the one in force.")
@click.option(
    "--digest", metavar="SHA256", help="Only say whether FOLDER is what was approved as this digest."
)
@click.option(
    "--state", metavar="FILE", help="An edge's state as JSON: name the servers that a change is about."
)
@json_option
@click.pass_context
def diff(
    ctx: click.Context, folder: str, against: str | None, digest: str | None, state: str | None, as_json: bool
) -> None:
    """Say what FOLDER would change, and for whom. Exit 0 when nothing differs, 1 when something does."""
    from fwguard.rules.preview import moves, read_rules

    after = read_rules(_folder(folder))
    if digest is not None:
        same = digest.lower() == after.digest
        if as_json:
            print_json({"equal": same, "digest": after.digest, "changes": []})
        else:
            click.echo("as approved" if same else f"not as approved: its digest is {after.digest}")
        ctx.exit(0 if same else 1)
    before = read_rules(_folder(against))
    edge = _state(state) if state else None
    found = moves(before, after)
    if as_json:
        print_json(
            {
                "equal": not found,
                "digest": after.digest,
                "changes": [_to_json(move, edge) for move in found],
            }
        )
    else:
        for move in found:
            _show(move, edge)
        if not found:
            click.echo("nothing differs")
    ctx.exit(1 if found else 0)


def _folder(given: str | None) -> Path:
    from fwguard.config import find_folder
    from fwguard.errors import InputError

    path = Path(given) if given else find_folder("rules")
    if not (path / "clauses").is_dir():
        raise InputError("has no clauses", where=str(path), expected="a folder with `clauses/` in it")
    return path


def _state(path: str) -> EdgeState:
    from fwguard.cli.edge_files import read_state

    return read_state(path)


def _to_json(move: Move, edge: EdgeState | None) -> dict[str, object]:
    from fwguard.rules.preview import touched

    found: dict[str, object] = {
        "clause": move.clause, "path": move.path, "before": move.before, "after": move.after,
    }  # fmt: skip
    if edge is not None:
        found["servers"] = list(touched(move, edge))
    return found


def _show(move: Move, edge: EdgeState | None) -> None:
    from fwguard.rules.preview import touched

    click.secho(f"{clean(move.clause)} {clean(move.path)}", bold=True)
    if move.before:
        click.secho(f"  - {clean(move.before)}", fg="red")
    if move.after:
        click.secho(f"  + {clean(move.after)}", fg="green")
    if edge is not None:
        names = touched(move, edge)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        click.echo(f"  for {', '.join(names[:_SHOWN])}{more}" if names else "  for no server of this edge")
