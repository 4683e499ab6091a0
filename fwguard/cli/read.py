"""`fwguard read`: what is in a firewall configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fwguard.cli.configuration import clean, dialect_option, json_option, load, print_json
from fwguard.errors import InputError

if TYPE_CHECKING:
    from fwguard.model.policy import Policy

_SHOWN = 40


def _draw(policy: Policy, path: str) -> None:
    from fwguard.analysis.picture import svg

    try:
        Path(path).write_text(svg(policy), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.strerror}", where=path, expected="a file that can be written") from None


@click.command(
    short_help="Read a firewall configuration and say what is in it.",
    epilog="Example:  iptables-save | fwguard read -",
)
@click.argument("file")
@dialect_option
@click.option("--svg", metavar="OUT.svg", help="Also draw who reaches what, as a picture for a browser.")
@json_option
def command(file: str, dialect: str | None, svg: str | None, as_json: bool) -> None:
    """Read FILE (- for standard input): its rules, address translations, routes, and what nobody could read.

    The dialect is guessed from the text unless --dialect names it.
    """
    from fwguard.model.policy_json import policy_to_json

    configuration = load(file, dialect)
    policy = configuration.policy
    if svg is not None:
        _draw(policy, svg)
    if as_json:
        print_json(
            {
                "dialect": configuration.dialect.name,
                "rules": policy.rule_count,
                "nat": len(policy.nat),
                "routes": len(policy.routes),
                "unread": [{"line": one.line, "text": one.text} for one in policy.unread],
                "policy": policy_to_json(policy),
            }
        )
        return
    click.echo(f"{clean(file)}: {configuration.dialect.name}")
    click.echo(f"  rules   {policy.rule_count}")
    for hook, keys in policy.hooks.items():
        for key in keys:
            chain = policy.chains[key]
            click.echo(
                f"    {hook.value:8}{clean(chain.name)}: {len(chain.rules)}, then {chain.default.value}"
            )
    jumped = len(policy.chains) - sum(len(keys) for keys in policy.hooks.values())
    if jumped > 0:
        click.echo(f"    and {jumped} chains that are jumped to")
    click.echo(f"  nat     {len(policy.nat)}")
    click.echo(f"  routes  {len(policy.routes)}")
    click.echo(f"  unread  {len(policy.unread)}")
    for one in policy.unread[:_SHOWN]:
        why = f"  ({clean(one.why)})" if one.why else ""
        click.echo(f"    {clean(file)}:{one.line}: {clean(one.text).strip()[:200]}{why}")
    if len(policy.unread) > _SHOWN:
        click.echo(f"    and {len(policy.unread) - _SHOWN} more")
