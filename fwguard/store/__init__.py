"""The database: every table, what may be done to it, and the log that shows tampering.

    connection.py    Store(url): session() writes, reading() looks, transact() writes with retries
    base.py          column types (UTC times, canonical JSON, enums), digest of a row's content
    inserts.py       ON CONFLICT in both dialects; rows that must be new
    tables.py        imports every table, so that metadata and migrations know them all
    people.py        clients, contacts, users, roles, personal tokens
    inventory.py     firewalls, servers, addresses; sealed device secrets (vault.py)
    approved.py      baselines (one current a firewall), readings that differed
    tickets.py       tickets, moves, editors, approvals; numbers.py gives T-2026-0001
    openings.py      openings and their holders; asks.py writes asks and changes as JSON
    cases.py         cases, moves, evidence
    pools.py         prefixes to give addresses from; addresses.py who held which when
    machine_states.py  which servers run, and who says so
    registrations.py the register of clause 7.5
    edges.py         the operator's nodes and their keys; edge_ports.py what is plugged in; edge_states.py
                     what was sent to them; edge_events.py what they told of
    isolations.py    what is cut or suspended
    warrants.py      the right to write, once
    mail.py          mail in (raw), outbox
    locks.py jobs.py one hand on a device; when to look
    audit.py         append() to the chain; verify.py checks it; checkpoints.py signs and exports it
    pseudonyms.py    personal data in the log as salted hashes
    visibility.py    a session that can see one client's rows only
    triggers.py      what constraints cannot say; migrations/ how the tables came to be

What a function changes is committed by the caller's session. Every `at` is an aware time.
"""

from fwguard.store.connection import Store

__all__ = ["Store"]
