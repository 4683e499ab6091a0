"""Run by Alembic: the connection is handed over by `upgrade`, which also commits."""

from __future__ import annotations

from alembic import context

from fwguard.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True
)
context.run_migrations()
