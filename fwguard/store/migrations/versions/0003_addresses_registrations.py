"""Pools of addresses, who held which when, which servers run, the register of clause 7.5."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fwguard.store.base import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "address_pools",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("first", sa.String(length=32), nullable=False),
        sa.Column("last", sa.String(length=32), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("version IN (4, 6)", name=op.f("ck_address_pools_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_pools")),
        sa.UniqueConstraint("name", name=op.f("uq_address_pools_name")),
        sa.UniqueConstraint("prefix", name=op.f("uq_address_pools_prefix")),
    )
    op.create_table(
        "address_holdings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pool_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=True),
        sa.Column("firewall_id", sa.Integer(), nullable=True),
        sa.Column("client_id", sa.Integer(), nullable=True),
        sa.Column("manner", sa.String(length=32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ending", sa.String(length=32), nullable=True),
        sa.Column("free_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(CASE WHEN server_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN firewall_id IS NULL THEN 0 ELSE 1 END)"
            " = (CASE WHEN manner = 'reserved' THEN 0 ELSE 1 END)",
            name=op.f("ck_address_holdings_one_holder"),
        ),
        sa.CheckConstraint(
            "manner = 'reserved' OR client_id IS NOT NULL", name=op.f("ck_address_holdings_holder_has_client")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ending IS NULL)", name=op.f("ck_address_holdings_ended_has_reason")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (free_at IS NULL)", name=op.f("ck_address_holdings_ended_cools")
        ),
        sa.CheckConstraint("ended_at >= since", name=op.f("ck_address_holdings_ends_after_start")),
        sa.CheckConstraint("free_at >= ended_at", name=op.f("ck_address_holdings_free_after_end")),
        sa.CheckConstraint("version IN (4, 6)", name=op.f("ck_address_holdings_version")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_address_holdings_client_id")),
        sa.ForeignKeyConstraint(
            ["firewall_id"], ["firewalls.id"], name=op.f("fk_address_holdings_firewall_id")
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["address_pools.id"], name=op.f("fk_address_holdings_pool_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_address_holdings_server_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_holdings")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_address_holdings_address_since", "address_holdings", ["address", "since"], unique=False
    )
    op.create_index(op.f("ix_address_holdings_client_id"), "address_holdings", ["client_id"], unique=False)
    op.create_index(op.f("ix_address_holdings_ends_at"), "address_holdings", ["ends_at"], unique=False)
    op.create_index(
        op.f("ix_address_holdings_firewall_id"), "address_holdings", ["firewall_id"], unique=False
    )
    op.create_index(op.f("ix_address_holdings_pool_id"), "address_holdings", ["pool_id"], unique=False)
    op.create_index(op.f("ix_address_holdings_server_id"), "address_holdings", ["server_id"], unique=False)
    op.create_index(
        "uq_address_holdings_one_live",
        "address_holdings",
        ["address"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "machine_states",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=True),
        sa.Column("firewall_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("off_since", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "(state = 'running') = (off_since IS NULL)", name=op.f("ck_machine_states_off_or_running")
        ),
        sa.CheckConstraint(
            "(server_id IS NULL) <> (firewall_id IS NULL)", name=op.f("ck_machine_states_one_machine")
        ),
        sa.ForeignKeyConstraint(
            ["firewall_id"], ["firewalls.id"], name=op.f("fk_machine_states_firewall_id")
        ),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_machine_states_server_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine_states")),
        sa.UniqueConstraint("firewall_id", name=op.f("uq_machine_states_firewall_id")),
        sa.UniqueConstraint("server_id", name=op.f("uq_machine_states_server_id")),
    )
    op.create_index(op.f("ix_machine_states_state"), "machine_states", ["state"], unique=False)
    op.create_table(
        "registrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("software", sa.String(length=32), nullable=False),
        sa.Column("protocol", sa.Integer(), nullable=False),
        sa.Column("ports", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.Integer(), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("decider_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decision_why", sa.Text(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=True),
        sa.CheckConstraint(
            "(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_registrations_ended_has_time")
        ),
        sa.CheckConstraint(
            "state NOT IN ('granted', 'refused') OR decider_id IS NOT NULL",
            name=op.f("ck_registrations_granted_is_decided"),
        ),
        sa.CheckConstraint(
            "(decider_id IS NULL) = (decided_at IS NULL)", name=op.f("ck_registrations_decided_by_someone")
        ),
        sa.CheckConstraint("decider_id <> requester_id", name=op.f("ck_registrations_other_hand")),
        sa.CheckConstraint("ends_at > requested_at", name=op.f("ck_registrations_ends_after_request")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_registrations_client_id")),
        sa.ForeignKeyConstraint(["decider_id"], ["users.id"], name=op.f("fk_registrations_decider_id")),
        sa.ForeignKeyConstraint(["requester_id"], ["users.id"], name=op.f("fk_registrations_requester_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_registrations_server_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_registrations_idempotency_key")),
        sa.UniqueConstraint("number", name=op.f("uq_registrations_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_registrations_client_id"), "registrations", ["client_id"], unique=False)
    op.create_index(op.f("ix_registrations_server_id"), "registrations", ["server_id"], unique=False)
    op.create_index("ix_registrations_state_ends_at", "registrations", ["state", "ends_at"], unique=False)
