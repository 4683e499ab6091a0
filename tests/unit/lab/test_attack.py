"""The kinds of attack, and what is said when one cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.errors import DeviceError
from fwguard.lab import attack_harm, attack_programs, packages
from fwguard.lab import plan as p
from fwguard.lab.attack import ATTACKS
from fwguard.model.address import AddressSet


def test_every_program_of_every_kind_has_a_package() -> None:
    """So that what is missing can always be named."""
    known = attack_programs.INSTALLED.keys() | attack_programs.UNPACKED
    assert set() == {program for one in ATTACKS.values() for program in one.programs} - known


def test_debian_packages_names_what_attacks_need_installed() -> None:
    """Essential packages of Debian aside."""
    listed = {
        line.split()[0]
        for line in (Path(__file__).parents[3] / "debian-packages.txt").read_text().splitlines()
    }
    assert set() == set(attack_programs.INSTALLED.values()) - listed - {"coreutils", "util-linux"}


def test_missing_programs_are_all_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Installed ones and unpacked ones, in one message."""
    monkeypatch.setattr(attack_programs, "PATH", str(tmp_path))
    monkeypatch.setattr(packages, "_SERVERS", tmp_path)
    with pytest.raises(DeviceError) as raised:
        attack_programs.check(ATTACKS["irc"].programs)
    assert (
        "the program sic is missing: `apt-get install sic` or `make setup`; the program ngircd is missing: "
        "`make setup` or `python -m fwguard.lab.packages` unpacks it"
    ) == str(raised.value)
    assert 3 == raised.value.exit_code


def test_the_scanned_and_the_forged_addresses_are_of_the_lab_and_nobodys() -> None:
    """They stay within the prefixes that the lab's Internet and mail door have, and hit no host of it."""
    nobody = AddressSet.parse(attack_harm.NOBODY4, attack_harm.NOBODY6)
    forged = AddressSet.parse(attack_harm.FORGED4, attack_harm.FORGED6)
    assert nobody <= AddressSet.parse("198.51.100.0/24", "2001:db8:ffff::/64")
    assert forged <= AddressSet.parse("203.0.113.0/24", "2001:db8:25::/64")
    hosts = AddressSet.parse(
        p.INTERNET4, p.INTERNET6, p.PARTNER4, p.PARTNER6, p.SCANNER4, p.SCANNER6, p.MAIL4, p.MAIL6,
        p.MAIL_GATEWAY4, p.MAIL_GATEWAY6, p.EDGE_UPLINK4, p.EDGE_UPLINK6,
    )  # fmt: skip
    assert not hosts & (nobody | forged)
