"""`fwguard what-if`: what an opening would really open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fwguard.cli.configuration import clean, dialect_option, json_option, load, located, print_json

if TYPE_CHECKING:
    from fwguard.analysis.boxes import Box
    from fwguard.analysis.what_if import WhatIf
    from fwguard.model.change import Opening
    from fwguard.model.inventory import Language
    from fwguard.model.policy import Policy
    from fwguard.model.risk import Risk

TAG = "what-if"
_STYLES = {"low": "green", "medium": "yellow", "high": "red", "critical": "red"}
_MOST_BOXES = 12


@click.command(
    short_help="Say what an opening would really open.",
    epilog='Example:  fwguard what-if rules.v4 --open "tcp/443 from 198.51.100.0/24 to 192.0.2.10"',
)
@click.argument("file")
@click.option("--open", "wanted", required=True, metavar='"P/PORTS from A to B"', help="What to open.")
@dialect_option
@click.option(
    "--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the words."
)
@json_option
def command(file: str, wanted: str, dialect: str | None, language: str, as_json: bool) -> None:
    """Say what it takes to open something in FILE, and what that would really open: is it open already, does
    all of it open, does anything else, and how risky is it.

    A public address that the firewall redirects is taken to where it leads. Nothing is changed.
    """
    from fwguard.analysis.asking import parse_opening
    from fwguard.analysis.risk import assess
    from fwguard.analysis.what_if import Coverage, asked_boxes, coverage, what_if
    from fwguard.model.change import Change
    from fwguard.model.inventory import Language
    from fwguard.model.ticket import Ask

    asked = parse_opening(wanted)
    configuration = load(file, dialect)
    before = configuration.policy
    openings = _behind_nat(configuration.policy, asked)
    boxes = [box for opening in openings for box in asked_boxes(before, opening)]
    change, after = "", before
    if coverage(before, boxes) is not Coverage.ALL:
        with located(file):
            edit = configuration.dialect.write(Change(tag=TAG, openings=tuple(openings)), configuration.text)
            after = configuration.dialect.read(edit.after)
        change = edit.shown
    found = what_if(before, after, openings)
    ask = Ask(
        server=str(asked.target),
        protocol=asked.protocol,
        source=asked.source,
        ports=asked.ports,
        ends_at=None,
        reason=TAG,
    )
    risk = assess(found, ask)
    if as_json:
        print_json(_to_json(found, change, risk, Language(language)))
    else:
        _print(found, change, risk, Language(language))


def _behind_nat(policy: Policy, asked: Opening) -> list[Opening]:
    """Take an opening to where the firewall's own redirections lead: what its filter must let pass."""
    from dataclasses import replace

    from fwguard.analysis.translate import inner_target
    from fwguard.model.ports import ANY_PORT

    ways = inner_target(policy, asked.target, asked.protocol, asked.ports or ANY_PORT)
    return [
        replace(
            asked,
            target=way.target,
            ports=way.ports if asked.ports else asked.ports,
            source=asked.source.of_family(way.target.families),
        )
        for way in ways
        if asked.source.of_family(way.target.families)
    ]


def _to_json(found: WhatIf, change: str, risk: Risk, language: Language) -> dict[str, object]:
    return {
        "already": found.already.value,
        "already_by": list(found.already_by),
        "then": found.then.value,
        "change": change,
        "opens": [box.to_json() for box in found.opens],
        "wider_than_asked": [box.to_json() for box in found.wider_than_asked],
        "closes": [box.to_json() for box in found.closes],
        "undecided": [box.to_json() for box in found.undecided],
        "risk": {
            "class": risk.risk_class.value,
            "score": risk.score,
            "why": list(risk.words(language)),
        },
    }


def _print(found: WhatIf, change: str, risk: Risk, language: Language) -> None:
    from fwguard.analysis.explain import explain
    from fwguard.analysis.what_if import Coverage
    from fwguard.analysis.words import by_lines, phrase

    lines = ", ".join(map(str, found.already_by))
    already = f"already-{found.already.value}"
    if found.already is not Coverage.NONE:
        already = by_lines(already, found.already_by)
    click.echo(phrase(already, language, lines=lines))
    if change:
        click.echo(phrase("change", language))
        for line in change.splitlines():
            click.secho(f"  {clean(line)}", fg="green" if line.startswith("+") else None)
    said = explain(found.difference, language=language)
    for line in said:
        click.echo(f"- {clean(line)}")
    if found.then.value != "all":
        click.echo(phrase(f"then-{found.then.value}", language))
    if found.wider_than_asked:
        click.secho(phrase("wider", language), fg="red")
        for box in found.wider_than_asked[:_MOST_BOXES]:
            click.echo(f"- {_say(box, language)}")
    name = risk.risk_class.value
    click.secho(phrase("risk", language, name=name, score=risk.score), fg=_STYLES[name], bold=True)
    for why in risk.words(language):
        click.echo(f"- {clean(why)}")


def _say(box: Box, language: Language) -> str:
    from fwguard.analysis.explain import say_box

    key = {"opens": "may-open", "closes": "may-close"}.get(box.leans, "opens")
    return clean(say_box(box, key, language, lambda _: None))
