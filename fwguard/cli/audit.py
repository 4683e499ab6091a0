"""`fwguard audit`: list, verify, export."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from sqlalchemy import select

from fwguard.cli.desk import house_here, show_json, show_rows, staff
from fwguard.store.audit import AuditRow
from fwguard.store.checkpoints import CHECKPOINTS_FILE, export, load_signing_key, read_checkpoints
from fwguard.store.pseudonyms import show
from fwguard.store.verify import verify


@click.group()
def command() -> None:
    """List, prove and export the log.

    \b
    Example: fwguard audit verify
    """


@command.command("list")
@click.option("--subject", default="", help="Only entries about this, as in firewall:fw-acme.")
@click.option("--last", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def list_entries(subject: str, last: int, as_json: bool) -> None:
    """List the newest entries, oldest of them first.

    \b
    Example: fwguard audit list --subject firewall:fw-acme --json
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(last)
        if subject:
            query = query.where(AuditRow.subject == subject)
        rows = [
            {
                "seq": row.seq, "at": str(row.at), "actor": show(session, row.actor), "action": row.action,
                "clause": row.clause, "subject": row.subject, "body": row.body, "digest": row.digest,
            }
            for row in reversed(session.scalars(query).all())
        ]  # fmt: skip
    show_rows(
        rows, as_json=as_json, columns=("seq", "at", "actor", "action", "subject"), empty="the log is empty"
    )


@command.command("verify")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def verify_log(as_json: bool) -> None:
    """Prove the whole log, and hash every baseline, approval, warrant and evidence against it again.

    Exit 0 when all is whole, 1 when anything was altered; it says where.

    \b
    Example: fwguard audit verify
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        directory = house.settings.state_dir
        key = load_signing_key(directory).public_key()
        report = verify(session, read_checkpoints(directory / CHECKPOINTS_FILE, key))
    if as_json:
        show_json({
            "whole": report.is_whole, "entries": report.entries, "records": report.records,
            "last_seq": report.last_seq, "last_digest": report.last_digest,
            "findings": [{"where": it.where, "what": it.what} for it in report.findings],
        })  # fmt: skip
    else:
        for finding in report.findings:
            click.echo(f"{finding.where}: {finding.what}")
        verdict = "whole" if report.is_whole else "ALTERED"
        click.echo(
            f"{verdict}: {report.entries} entries and {report.records} rows, up to {report.last_digest}"
        )
    sys.exit(0 if report.is_whole else 1)


@command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--after", default=0, help="Only entries after this number.")
def export_log(file: Path, after: int) -> None:
    """Write the log as lines of JSON, digests included.

    \b
    Example: fwguard audit export audit.jsonl
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        with file.open("w", encoding="utf-8") as out:
            count = export(session, out, after_seq=after)
    click.echo(f"{count} entries in {file}")
