"""`fwguard diff`: what new connections two configurations pass differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fwguard.cli.configuration import clean, dialect_option, json_option, load, print_json

if TYPE_CHECKING:
    from fwguard.analysis.difference import Difference

_MOST_LINES = 200


@click.command(
    short_help="Say what new connections two configurations pass differently.",
    epilog="Example:  fwguard diff approved.rules running.rules || echo changed",
)
@click.argument("old")
@click.argument("new")
@dialect_option
@click.option(
    "--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the words."
)
@click.option(
    "--lines", type=click.IntRange(1), default=_MOST_LINES, show_default=True, help="Shown at most."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, old: str, new: str, dialect: str | None, language: str, lines: int, as_json: bool
) -> None:
    """Compare OLD with NEW: exactly what a new connection could and could not do before and after.

    Comments, counters and order without meaning are no difference. Ends with 0 when both are equal and
    1 when they differ.
    """
    from fwguard.analysis.compare import compare
    from fwguard.analysis.explain import explain
    from fwguard.model.inventory import Language

    before, after = load(old, dialect), load(new, dialect)
    difference = compare(before.policy, after.policy)
    if as_json:
        print_json(difference_to_json(difference))
    else:
        said = explain(difference, language=Language(language), max_lines=lines)
        for line in said:
            click.echo(clean(line))
        if difference.is_empty:
            click.echo("equal: every new connection fares the same")
    ctx.exit(0 if difference.is_empty else 1)


def difference_to_json(difference: Difference) -> dict[str, Any]:
    """Return a difference as the command line's contract says."""
    from fwguard.model.policy_json import nat_to_json, route_to_json

    def nat(rules: Any) -> list[Any]:
        return [nat_to_json(rule) for rule in rules]

    def routes(entries: Any) -> list[Any]:
        return [route_to_json(route) for route in entries]

    return {
        "equal": difference.is_empty,
        "opens": [box.to_json() for box in difference.opens],
        "closes": [box.to_json() for box in difference.closes],
        "undecided": [box.to_json() for box in difference.undecided],
        "nat": {
            "added": nat(difference.nat.added),
            "removed": nat(difference.nat.removed),
            "reordered": difference.nat.reordered,
        },
        "routes": {"added": routes(difference.routes.added), "removed": routes(difference.routes.removed)},
        "unread": {
            "added": [{"line": one.line, "text": one.text} for one in difference.unread.added],
            "removed": [{"line": one.line, "text": one.text} for one in difference.unread.removed],
        },
        "omitted": difference.omitted,
    }
