"""What the tables' own constraints cannot say, as triggers, in both databases' words.

They are dropped and made anew after every migration, so what stands here is what holds.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

FROZEN: Final = {
    "audit": "the audit log is append-only",
    "approvals": "an approval is never changed or taken back",
    "ticket_editors": "an editor of a ticket stays one",
    "edge_states": "what was sent to an edge is history",
}
_APPROVER: Final = "an approver must not have requested or edited the ticket"
_DECIDED: Final = "an editor must not have decided about the ticket"
_REQUESTER: Final = "who requested a ticket never changes"

# Who asked: the user, the contact behind the user or with the user's mail, or anyone who edited.
_CONFLICT: Final = """
    EXISTS (SELECT 1 FROM tickets t WHERE t.id = NEW.ticket_id AND t.requester_id = NEW.user_id)
    OR EXISTS (SELECT 1 FROM tickets t JOIN users u ON u.contact_id = t.contact_id
               WHERE t.id = NEW.ticket_id AND u.id = NEW.user_id)
    OR EXISTS (SELECT 1 FROM tickets t JOIN contacts c ON c.id = t.contact_id JOIN users u ON u.email = c.mail
               WHERE t.id = NEW.ticket_id AND u.id = NEW.user_id)
    OR EXISTS (SELECT 1 FROM ticket_editors e WHERE e.ticket_id = NEW.ticket_id AND e.user_id = NEW.user_id)
"""
_HAS_DECIDED: Final = """
    EXISTS (SELECT 1 FROM approvals a WHERE a.ticket_id = NEW.ticket_id AND a.user_id = NEW.user_id)
"""

_OVERLAP: Final = "another pool has an address of this one"
_COOLS: Final = "the address is held or cools"
_HISTORY: Final = "who held an address when is history"
_ASKED: Final = "who asked for a registration, and for what, never changes"
_NEVER_FALLS: Final = "epoch and generation of an edge never fall"
_TOLD: Final = "what an edge told of never changes"
_CUT: Final = "what was cut, and why, never changes; a cut that is over stays over"
# SQLite sorts text by its bytes; PostgreSQL does when it is told to.
_POOLS_OVERLAP: Final = """
    EXISTS (SELECT 1 FROM address_pools p
            WHERE p.version = NEW.version AND p.first {c} <= NEW.last {c} AND p.last {c} >= NEW.first {c})
"""
# What its last holder gave back may go back to that holder at once; nobody's reservation waits for nothing.
_HOLDING_COOLS: Final = """
    EXISTS (SELECT 1 FROM address_holdings h
            WHERE h.address = NEW.address
              AND (h.ended_at > NEW.since
                   OR (h.free_at > NEW.since AND NEW.manner <> 'reserved'
                       AND (h.server_id {differs} NEW.server_id OR h.firewall_id {differs} NEW.firewall_id))))
"""
_HOLDING_KEEPS: Final = (
    "address",
    "version",
    "pool_id",
    "server_id",
    "firewall_id",
    "client_id",
    "manner",
    "why",
    "since",
)
_REGISTRATION_KEEPS: Final = (
    "number", "client_id", "server_id", "software", "protocol", "ports", "reason", "requester_id", "requested_at",
)  # fmt: skip

_ISOLATION_KEEPS: Final = (
    "case_id", "client_id", "scope", "server_id", "firewall_id", "architecture_id", "protocol", "first_port",
    "last_port", "reason", "clause", "author", "why", "since", "edge_id", "cut_id", "cut_port",
)  # fmt: skip


def _moved(columns: tuple[str, ...], differs: str) -> str:
    return " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in columns)


def install_triggers(connection: Connection) -> None:
    """Make every trigger anew."""
    statements = _postgresql() if connection.dialect.name == "postgresql" else _sqlite()
    for statement in statements:
        connection.exec_driver_sql(statement)


def missing_triggers(connection: Connection) -> list[str]:
    """Return the names of triggers that should stand and do not: someone who can alter tables was here."""
    postgresql = connection.dialect.name == "postgresql"
    wanted = {
        statement.split()[2]
        for statement in (_postgresql() if postgresql else _sqlite())
        if statement.startswith("CREATE TRIGGER")
    }
    query = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
        if postgresql
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    return sorted(wanted - set(connection.exec_driver_sql(query).scalars()))


def _sqlite() -> list[str]:
    out: list[str] = []

    def trigger(name: str, when: str, table: str, condition: str, message: str) -> None:
        out.append(f"DROP TRIGGER IF EXISTS {name}")
        guard = f"WHEN {condition}" if condition else ""
        out.append(
            f"CREATE TRIGGER {name} {when} ON {table} {guard} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )

    for table, message in FROZEN.items():
        trigger(f"{table}_no_update", "BEFORE UPDATE", table, "", message)
        trigger(f"{table}_no_delete", "BEFORE DELETE", table, "", message)
    trigger("approvals_other_hand", "BEFORE INSERT", "approvals", _CONFLICT, _APPROVER)
    trigger("ticket_editors_not_decided", "BEFORE INSERT", "ticket_editors", _HAS_DECIDED, _DECIDED)
    trigger(
        "tickets_same_requester", "BEFORE UPDATE", "tickets",
        "OLD.requester_id IS NOT NEW.requester_id OR OLD.contact_id IS NOT NEW.contact_id", _REQUESTER,
    )  # fmt: skip
    for name, when, table, condition, message in (
        *_of_addresses(differs="IS NOT", collation=""),
        *_of_edges(differs="IS NOT"),
    ):
        trigger(name, when, table, condition, message)
    return out


def _postgresql() -> list[str]:
    out: list[str] = []

    def trigger(name: str, when: str, table: str, condition: str, message: str, each: str = "ROW") -> None:
        # 23514 is check_violation: SQLAlchemy raises IntegrityError, as for SQLite's ABORT.
        body = f"RAISE EXCEPTION '{message}' USING ERRCODE = '23514';"
        if condition:
            body = f"IF {condition} THEN {body} END IF;"
        out.append(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {body} RETURN NEW; END $$"
        )
        out.append(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        out.append(f"CREATE TRIGGER {name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()")

    for table, message in FROZEN.items():
        trigger(f"{table}_no_change", "BEFORE UPDATE OR DELETE", table, "", message)
        trigger(f"{table}_no_truncate", "BEFORE TRUNCATE", table, "", message, "STATEMENT")
    trigger("approvals_other_hand", "BEFORE INSERT", "approvals", _CONFLICT, _APPROVER)
    trigger("ticket_editors_not_decided", "BEFORE INSERT", "ticket_editors", _HAS_DECIDED, _DECIDED)
    trigger(
        "tickets_same_requester", "BEFORE UPDATE", "tickets",
        "(OLD.requester_id, OLD.contact_id) IS DISTINCT FROM (NEW.requester_id, NEW.contact_id)",
        _REQUESTER,
    )  # fmt: skip
    for name, when, table, condition, message in (
        *_of_addresses(differs="IS DISTINCT FROM", collation='COLLATE "C"'),
        *_of_edges(differs="IS DISTINCT FROM"),
    ):
        trigger(name, when, table, condition, message)
    return out


def _of_addresses(*, differs: str, collation: str) -> list[tuple[str, str, str, str, str]]:
    """Return name, moment, table, condition and message of the triggers about addresses and the register."""
    changed = _moved(_HOLDING_KEEPS, differs)
    return [
        ("address_pools_apart", "BEFORE INSERT", "address_pools", _POOLS_OVERLAP.format(c=collation), _OVERLAP),
        (
            "address_pools_same_prefix", "BEFORE UPDATE", "address_pools",
            _moved(("version", "prefix", "first", "last"), differs), _OVERLAP,
        ),
        (
            "address_holdings_cooled", "BEFORE INSERT", "address_holdings",
            _HOLDING_COOLS.format(differs=differs), _COOLS,
        ),
        (
            "address_holdings_same_holder", "BEFORE UPDATE", "address_holdings",
            f"OLD.ended_at IS NOT NULL OR {changed}", _HISTORY,
        ),
        ("address_holdings_no_delete", "BEFORE DELETE", "address_holdings", "1 = 1", _HISTORY),
        (
            "registrations_same_request", "BEFORE UPDATE", "registrations", _moved(_REGISTRATION_KEEPS, differs),
            _ASKED,
        ),
    ]  # fmt: skip


def _of_edges(*, differs: str) -> list[tuple[str, str, str, str, str]]:
    """Return name, moment, table, condition and message of the triggers about edges."""
    return [
        (
            "edges_never_fall", "BEFORE UPDATE", "edges",
            "NEW.epoch < OLD.epoch OR (NEW.epoch = OLD.epoch AND NEW.generation < OLD.generation)", _NEVER_FALLS,
        ),
        (
            "edge_events_as_told", "BEFORE UPDATE", "edge_events",
            _moved(("edge_id", "event_id", "kind", "at", "port", "facts"), differs), _TOLD,
        ),
        (
            "isolations_same_cut", "BEFORE UPDATE", "isolations",
            f"(OLD.ended_at IS NOT NULL AND OLD.ended_at {differs} NEW.ended_at) OR "
            + _moved(_ISOLATION_KEEPS, differs),
            _CUT,
        ),
        ("isolations_no_delete", "BEFORE DELETE", "isolations", "1 = 1", _CUT),
    ]  # fmt: skip
