"""What people call an address: the server of theirs that has it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.store.inventory import ServerAddressRow, ServerRow


def server_names(session: Session, client_id: int) -> Callable[[str], str | None]:
    """Return a function from an address to the name of the client's server, None for any other address."""
    rows = session.execute(
        select(ServerAddressRow.address, ServerRow.name)
        .join(ServerRow, ServerAddressRow.server_id == ServerRow.id)
        .where(ServerRow.client_id == client_id)
    )
    known: dict[str, str] = {address: name for address, name in rows}  # noqa: C416
    return known.get
