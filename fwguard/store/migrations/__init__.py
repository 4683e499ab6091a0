"""How the tables came to be: Alembic's versions, run from the program itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from fwguard.store.triggers import install_triggers

UPGRADE_LOCK: Final = 0x66776775617265  # for pg_advisory_xact_lock


def configuration() -> Config:
    """Return Alembic's configuration, which needs no file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run every migration that is missing, then make the triggers, in one transaction.

    Several processes may call it at once: one does the work, the others wait and find it done.
    """
    config = configuration()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        install_triggers(connection)
