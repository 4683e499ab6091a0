"""`fwguard lint`: what is wrong with a configuration."""

from __future__ import annotations

import click

from fwguard.cli.configuration import clean, dialect_option, json_option, load, print_json

_STYLES = {"too-wide": "red", "management-exposed": "red", "any-service": "red", "unread": "yellow"}


@click.command(
    short_help="Find rules that are shadowed, redundant, too wide or unread.",
    epilog="Example:  fwguard lint /etc/iptables/rules.v4",
)
@click.argument("file")
@dialect_option
@click.option(
    "--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the words."
)
@json_option
@click.pass_context
def command(ctx: click.Context, file: str, dialect: str | None, language: str, as_json: bool) -> None:
    """Find what is wrong with FILE: rules that never act or act for nothing, and rules that let too much in.

    Kinds: shadowed, redundant, never-matches, too-wide, any-service, management-exposed, unread. Ends with
    1 when anything was found.
    """
    from fwguard.analysis.lint import lint
    from fwguard.model.inventory import Language

    spoken = Language(language)
    findings = lint(load(file, dialect).policy)
    if as_json:
        print_json(
            {
                "findings": [
                    {
                        "kind": finding.kind.value,
                        "line": finding.line,
                        "because": list(finding.because),
                        "why": finding.why(spoken),
                    }
                    for finding in findings
                ]
            }
        )
    else:
        for finding in findings:
            click.echo(f"{clean(file)}:{finding.line}: ", nl=False)
            click.secho(finding.kind.value, fg=_STYLES.get(finding.kind.value, "cyan"), nl=False)
            click.echo(f": {clean(finding.why(spoken))}")
        if not findings:
            click.echo("nothing found")
    ctx.exit(1 if findings else 0)
