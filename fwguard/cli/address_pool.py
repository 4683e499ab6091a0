"""`fwguard address pool`: the prefixes that addresses are given from."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy.orm import Session

from fwguard.cli.desk import house_here, show_rows, staff
from fwguard.errors import InputError
from fwguard.flows import address as flow
from fwguard.model.pool import Pool, parse_prefix
from fwguard.store.addresses import used_in
from fwguard.store.pools import PoolRow, pools


@click.group()
def pool() -> None:
    """Add, list and close pools.

    \b
    Example: fwguard address pool add paris6 2001:db8:40::/64 --country FR --why "first pool"
    """


@pool.command()
@click.argument("name")
@click.argument("prefix")
@click.option("--family", type=click.Choice(["v4", "v6"]), default=None, help="Refuse a prefix of the other.")
@click.option("--country", default="", help="Where it is announced, as FR: clause 7.9 asks for a French one.")
@click.option("--why", required=True, help="The reason; it stands in the log.")
def add(name: str, prefix: str, family: str | None, country: str, why: str) -> None:
    """Add a pool; what the inventory names in it becomes held by those who have it.

    \b
    Example: fwguard address pool add paris4 198.51.100.0/24 --country FR --why "first pool"
    """
    version = int(parse_prefix(prefix).version)
    if family and family != f"v{version}":
        raise InputError(f"{prefix} is IPv{version}", expected=f"a prefix of {family}")
    with house_here() as house:

        def work(session: Session) -> int:
            wanted = Pool(name=name, prefix=prefix, country=country.upper())
            return flow.open_pool(session, house, wanted, user=staff(session, house), why=why)[1]

        taken = house.store.transact(work)
    click.echo(f"pool {name} is open; {taken} addresses of the inventory are held in it")


@pool.command("list")
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def list_pools(as_json: bool) -> None:
    """List pools with what is held, cooling and free of each.

    \b
    Example: fwguard address pool list --json
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        rows = [_facts(session, row) for row in pools(session)]
        now = house.clock()
        for row in rows:
            used = row.pop("used")
            row["held"] = sum(one.free_at is None for one in used)
            row["cooling"] = sum(one.free_at is not None and one.free_at > now for one in used)
            row["free"] = max(row["usable"] - row["held"] - row["cooling"], 0)
    columns = ("name", "prefix", "country", "held", "cooling", "free", "state")
    show_rows(rows, as_json=as_json, columns=columns, empty="no pool: `fwguard address pool add`")


@pool.command()
@click.argument("name")
@click.option("--why", required=True, help="The reason; it stands in the log.")
def close(name: str, why: str) -> None:
    """Give no new address of a pool; what is held stays held.

    \b
    Example: fwguard address pool close old4 --why "the prefix goes back"
    """
    with house_here() as house:
        house.store.transact(
            lambda session: flow.shut_pool(session, house, name, user=staff(session, house), why=why)
        )
    click.echo(f"pool {name} gives no address any more")


def _facts(session: Session, row: PoolRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "prefix": row.prefix,
        "family": f"v{row.version}",
        "country": row.country,
        "usable": row.value().usable.size,
        "used": used_in(session, row),
        "state": "closed" if row.closed_at else "open",
    }
