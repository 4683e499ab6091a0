"""Edges, their ports, states and events; architectures; what is isolated or suspended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fwguard.store.base import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "edges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("uplinks", sa.Text(), nullable=False),
        sa.Column("uplink_bps", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("public_key", sa.String(length=44), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.Column("enrolled_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=True),
        sa.Column("applied_epoch", sa.BigInteger(), nullable=False),
        sa.Column("applied_generation", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", UtcDateTime(), nullable=True),
        sa.Column("looked_seq", sa.BigInteger(), nullable=False),
        sa.Column("looked_rules", sa.String(length=64), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(public_key = '') = (enrolled_at IS NULL)", name=op.f("ck_edges_enrolled_has_key")
        ),
        sa.CheckConstraint("epoch >= 0 AND generation >= 0", name=op.f("ck_edges_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edges")),
        sa.UniqueConstraint("name", name=op.f("uq_edges_name")),
    )
    op.create_table(
        "architectures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("template", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=32), nullable=True),
        sa.Column("own_sources", sa.Text(), nullable=False),
        sa.Column("retrieval_ends_at", UtcDateTime(), nullable=True),
        sa.Column("transfers", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_architectures_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_architectures")),
        sa.UniqueConstraint("name", name=op.f("uq_architectures_name")),
    )
    op.create_index(op.f("ix_architectures_client_id"), "architectures", ["client_id"], unique=False)
    op.create_table(
        "edge_nonces",
        sa.Column("edge_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_edge_nonces_edge_id")),
        sa.PrimaryKeyConstraint("edge_id", "nonce", name=op.f("pk_edge_nonces")),
    )
    op.create_index("ix_edge_nonces_expires_at", "edge_nonces", ["expires_at"], unique=False)
    op.create_table(
        "edge_states",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edge_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("warrant_id", sa.String(length=36), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_edge_states_edge_id")),
        sa.ForeignKeyConstraint(["warrant_id"], ["warrants.id"], name=op.f("fk_edge_states_warrant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge_states")),
        sa.UniqueConstraint("edge_id", "digest", name=op.f("uq_edge_states_edge_id_digest")),
        sa.UniqueConstraint(
            "edge_id", "epoch", "generation", name=op.f("uq_edge_states_edge_id_epoch_generation")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "edge_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edge_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_edge_tokens_edge_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_edge_tokens_sha256")),
    )
    op.create_index(op.f("ix_edge_tokens_edge_id"), "edge_tokens", ["edge_id"], unique=False)
    op.create_table(
        "edge_state_bodies",
        sa.Column("state_id", sa.Integer(), nullable=False),
        sa.Column("edge_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_edge_state_bodies_edge_id")),
        sa.ForeignKeyConstraint(["state_id"], ["edge_states.id"], name=op.f("fk_edge_state_bodies_state_id")),
        sa.PrimaryKeyConstraint("state_id", name=op.f("pk_edge_state_bodies")),
        sa.UniqueConstraint("edge_id", name=op.f("uq_edge_state_bodies_edge_id")),
    )
    op.create_table(
        "edge_ports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edge_id", sa.Integer(), nullable=False),
        sa.Column("interface", sa.String(length=15), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("link", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("architecture_id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=True),
        sa.Column("firewall_id", sa.Integer(), nullable=True),
        sa.Column("macs", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("device_interface", sa.String(length=64), nullable=False),
        sa.Column("zone", sa.Integer(), nullable=False),
        sa.Column("routing_table", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'server') = (server_id IS NOT NULL)", name=op.f("ck_edge_ports_kind_fits")
        ),
        sa.CheckConstraint(
            "(CASE WHEN server_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN firewall_id IS NULL THEN 0 ELSE 1 END) = 1",
            name=op.f("ck_edge_ports_one_machine"),
        ),
        sa.CheckConstraint("zone BETWEEN 1 AND 65535", name=op.f("ck_edge_ports_zone")),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["architectures.id"], name=op.f("fk_edge_ports_architecture_id")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_edge_ports_client_id")),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_edge_ports_edge_id")),
        sa.ForeignKeyConstraint(["firewall_id"], ["firewalls.id"], name=op.f("fk_edge_ports_firewall_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_edge_ports_server_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge_ports")),
        sa.UniqueConstraint("edge_id", "interface", name=op.f("uq_edge_ports_edge_id_interface")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_edge_ports_architecture_id"), "edge_ports", ["architecture_id"], unique=False)
    op.create_index(op.f("ix_edge_ports_client_id"), "edge_ports", ["client_id"], unique=False)
    op.create_index(op.f("ix_edge_ports_firewall_id"), "edge_ports", ["firewall_id"], unique=False)
    op.create_index(op.f("ix_edge_ports_server_id"), "edge_ports", ["server_id"], unique=False)
    op.create_table(
        "edge_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edge_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("handled_at", UtcDateTime(), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_edge_events_case_id")),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_edge_events_edge_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge_events")),
        sa.UniqueConstraint("edge_id", "event_id", name=op.f("uq_edge_events_edge_id_event_id")),
    )
    op.create_index(op.f("ix_edge_events_case_id"), "edge_events", ["case_id"], unique=False)
    op.create_index(
        "ix_edge_events_edge_id_handled_at", "edge_events", ["edge_id", "handled_at"], unique=False
    )
    op.create_index("ix_edge_events_kind_at", "edge_events", ["kind", "at"], unique=False)
    op.create_index("ix_edge_events_port_at", "edge_events", ["port", "at"], unique=False)
    op.create_table(
        "isolations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=True),
        sa.Column("firewall_id", sa.Integer(), nullable=True),
        sa.Column("architecture_id", sa.Integer(), nullable=True),
        sa.Column("protocol", sa.Integer(), nullable=False),
        sa.Column("first_port", sa.Integer(), nullable=False),
        sa.Column("last_port", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("clause", sa.String(length=40), nullable=False),
        sa.Column("stays_open", sa.String(length=200), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("edge_id", sa.Integer(), nullable=True),
        sa.Column("cut_id", sa.String(length=80), nullable=True),
        sa.Column("cut_port", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=False),
        sa.Column("ended_why", sa.Text(), nullable=False),
        sa.Column("taken_back_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(scope = 'architecture') = (architecture_id IS NOT NULL)", name=op.f("ck_isolations_scope_fits")
        ),
        sa.CheckConstraint(
            "(CASE WHEN server_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN firewall_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN architecture_id IS NULL THEN 0 ELSE 1 END) = 1",
            name=op.f("ck_isolations_one_subject"),
        ),
        sa.CheckConstraint("(edge_id IS NULL) = (cut_id IS NULL)", name=op.f("ck_isolations_cut_of_edge")),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR taken_back_at IS NULL", name=op.f("ck_isolations_ended_first")
        ),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["architectures.id"], name=op.f("fk_isolations_architecture_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_isolations_case_id")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_isolations_client_id")),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_isolations_edge_id")),
        sa.ForeignKeyConstraint(["firewall_id"], ["firewalls.id"], name=op.f("fk_isolations_firewall_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_isolations_server_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_isolations")),
        sa.UniqueConstraint("edge_id", "cut_id", name=op.f("uq_isolations_edge_id_cut_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_isolations_architecture_id"), "isolations", ["architecture_id"], unique=False)
    op.create_index(op.f("ix_isolations_case_id"), "isolations", ["case_id"], unique=False)
    op.create_index(op.f("ix_isolations_client_id"), "isolations", ["client_id"], unique=False)
    op.create_index("ix_isolations_ended_at_ends_at", "isolations", ["ended_at", "ends_at"], unique=False)
    op.create_index(op.f("ix_isolations_firewall_id"), "isolations", ["firewall_id"], unique=False)
    op.create_index(op.f("ix_isolations_server_id"), "isolations", ["server_id"], unique=False)
    op.create_index(op.f("ix_isolations_since"), "isolations", ["since"], unique=False)
