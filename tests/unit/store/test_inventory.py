"""Firewalls and servers, and the secrets by which firewalls are reached."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from fwguard.config import SecretKeys, make_secret_key, rotate_secret_key
from fwguard.errors import ConflictError, InputError
from fwguard.model.inventory import Firewall, Platform, Server, Transport
from fwguard.store import Store
from fwguard.store.inventory import (
    WatchState,
    add_firewall,
    add_server,
    device_secret,
    firewall_named,
    note_failure,
    note_read,
    rotate_device_secrets,
    server_named,
    set_device_secret,
)  # fmt: skip
from fwguard.store.vault import Vault

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n-----END OPENSSH PRIVATE KEY-----\n"
FIREWALL = Firewall(
    name="fw9", client="acme", platform=Platform.IETF, transport=Transport.NETCONF, address="10.0.0.9", port=830,
    username="fwguard", public=("192.0.2.99",),
)  # fmt: skip


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Give a fresh key file."""
    path = tmp_path / "secret.key"
    assert make_secret_key(path)
    return path


def _vault(path: Path) -> Vault:
    return Vault(SecretKeys.read(path))


def _keep(house: Store, key_file: Path, name: str = "fw-acme") -> None:
    with house.session() as session:
        set_device_secret(
            firewall_named(session, name), _vault(key_file), private_key=PEM, host_key="ssh-ed25519 AAAA"
        )


def test_values_come_back_as_they_went_in(house: Store) -> None:
    """Both families, in order."""
    server = Server(name="s9", client="acme", firewall="fw9", addresses=("10.1.0.9", "2001:db8::9"))
    with house.session() as session:
        add_firewall(session, FIREWALL)
        add_server(session, server)
    with house.reading() as session:
        assert FIREWALL == firewall_named(session, "fw9").value()
        assert server == server_named(session, "s9").value()


@pytest.mark.parametrize(
    "wrong",
    [
        replace(FIREWALL, name="fw-acme"),
        replace(FIREWALL, client="nobody"),
        replace(FIREWALL, public=("192.0.2.1",)),
    ],
    ids=["name taken", "no client", "public address taken"],
)
def test_a_firewall_that_cannot_be_is_refused(house: Store, wrong: Firewall) -> None:
    """With InputError, and the session goes on."""
    with house.session() as session:
        with pytest.raises(InputError):
            add_firewall(session, wrong)
        add_firewall(session, FIREWALL)


def test_a_server_stands_behind_its_own_clients_firewall(house: Store) -> None:
    """Never behind another's."""
    with house.session() as session, pytest.raises(InputError, match="same client"):
        add_server(session, Server(name="s9", client="acme", firewall="fw-bold", addresses=("10.1.0.9",)))


def test_unknown_names_are_said_to_be_so(house: Store) -> None:
    """Both kinds."""
    with house.reading() as session:
        for look in (firewall_named, server_named):
            with pytest.raises(InputError, match="'zz'"):
                look(session, "zz")


def test_a_secret_is_unreadable_in_the_database(house: Store, key_file: Path) -> None:
    """And opens with the key."""
    _keep(house, key_file)
    with house.reading() as session:
        stored = session.execute(text("SELECT private_key_sealed FROM firewalls WHERE id = 1")).scalar_one()
        assert "secret" not in stored
        assert "OPENSSH" not in stored
        assert PEM == device_secret(firewall_named(session, "fw-acme"), _vault(key_file))


def test_a_secret_is_bound_to_its_firewall(house: Store, key_file: Path) -> None:
    """Copied into another's row, it does not open."""
    _keep(house, key_file)
    with house.session() as session:
        thief = firewall_named(session, "fw-bold")
        thief.private_key_sealed = firewall_named(session, "fw-acme").private_key_sealed
        with pytest.raises(InputError, match="belongs to another"):
            device_secret(thief, _vault(key_file))


@pytest.mark.parametrize("spoil", [lambda s: s[:-6] + "AAAA==", lambda s: s + "é", lambda s: "v2" + s[2:]])
def test_an_altered_secret_does_not_open(house: Store, key_file: Path, spoil: object) -> None:
    """With a message, not with other bytes."""
    _keep(house, key_file)
    with house.session() as session:
        firewall = firewall_named(session, "fw-acme")
        firewall.private_key_sealed = spoil(firewall.private_key_sealed)  # type: ignore[operator]
        with pytest.raises(InputError):
            device_secret(firewall, _vault(key_file))


def test_another_key_opens_nothing(house: Store, key_file: Path, tmp_path: Path) -> None:
    """Nor does a firewall without secret have one."""
    _keep(house, key_file)
    other = tmp_path / "other.key"
    make_secret_key(other)
    with house.reading() as session:
        with pytest.raises(InputError, match="needs key"):
            device_secret(firewall_named(session, "fw-acme"), _vault(other))
        with pytest.raises(InputError, match="has no key"):
            device_secret(firewall_named(session, "fw-bold"), _vault(key_file))


def test_keys_rotate(house: Store, key_file: Path) -> None:
    """After it, the old key is needed no more."""
    _keep(house, key_file)
    rotate_secret_key(key_file)
    with house.session() as session:
        assert 1 == rotate_device_secrets(session, _vault(key_file))
        assert 0 == rotate_device_secrets(session, _vault(key_file))
    key_file.write_text(key_file.read_text().splitlines()[0] + "\n")
    with house.reading() as session:
        assert PEM == device_secret(firewall_named(session, "fw-acme"), _vault(key_file))


def test_tries_and_readings_are_remembered(house: Store) -> None:
    """Failures in a row are counted until one reading is whole."""
    with house.session() as session:
        firewall = firewall_named(session, "fw-acme")
        for _ in range(2):
            note_failure(firewall, at=NOW, error="x" * 9000, state=WatchState.UNREACHABLE)
        assert (2, 2000, WatchState.UNREACHABLE, None) == (
            firewall.failures, len(firewall.last_error), firewall.state, firewall.last_read_at,
        )  # fmt: skip
        note_read(firewall, at=NOW, state=WatchState.WATCHED)
        assert (0, "", NOW) == (firewall.failures, firewall.last_error, firewall.last_read_at)


def test_a_firewall_that_another_moved_is_a_conflict(house: Store) -> None:
    """Its revision says so."""
    with house.reading() as session:
        stale = firewall_named(session, "fw-acme")
    with house.session() as session:
        note_read(firewall_named(session, "fw-acme"), at=NOW)
    with pytest.raises(ConflictError), house.session() as session:
        note_failure(session.merge(stale, load=False), at=NOW, error="late")
