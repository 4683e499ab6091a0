"""The migrations make exactly the tables that the code speaks of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select

from fwguard.store import Store
from fwguard.store.connection import make_engine
from fwguard.store.migrations import upgrade
from fwguard.store.people import RoleRow
from fwguard.store.tables import METADATA


def _words(options: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(options.items()))


def _shape(engine: Engine) -> dict[str, Any]:
    """Return all that the database knows of its tables, checks and partial indexes too."""
    look = inspect(engine)
    shape: dict[str, Any] = {}
    for table in sorted(set(look.get_table_names()) - {"alembic_version"}):
        shape[table] = {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(table)],
            "pk": look.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted((str(u["name"]), u["column_names"]) for u in look.get_unique_constraints(table)),
            "checks": sorted((str(c["name"]), c["sqltext"]) for c in look.get_check_constraints(table)),
            "keys": sorted(
                (str(k["name"]), k["constrained_columns"], k["referred_table"], k["referred_columns"])
                for k in look.get_foreign_keys(table)
            ),
            "indexes": sorted(
                (str(i["name"]), i["column_names"], str(i["unique"]), _words(i.get("dialect_options", {})))
                for i in look.get_indexes(table)
            ),
            "options": look.get_table_options(table),
        }
    return shape


def test_migrations_make_what_the_code_declares(empty_url: str) -> None:
    """Columns, types, keys, checks and partial indexes are those of the metadata."""
    engine = make_engine(empty_url)
    METADATA.create_all(engine)
    want = _shape(engine)
    METADATA.drop_all(engine)
    upgrade(engine)
    assert want == _shape(engine)
    with engine.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()


def test_upgrading_twice_changes_nothing(store: Store) -> None:
    """A second upgrade finds all done and keeps the rows."""
    store.upgrade()
    with store.reading() as session:
        names = session.scalars(select(RoleRow.name).order_by(RoleRow.id)).all()
    assert ["client", "operator", "approver", "admin"] == names


def test_four_upgrades_at_once_do_the_work_once(empty_url: str) -> None:
    """Controllers that start together wait for the one that migrates."""
    stores = [Store(empty_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Store.upgrade, stores))
    with stores[0].reading() as session:
        assert 4 == len(session.scalars(select(RoleRow)).all())
    for store in stores:
        store.dispose()
