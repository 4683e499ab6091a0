"""Who there is."""

from __future__ import annotations

import base64

from fwguard.lab.people import contact_of, staff


def test_two_of_the_staff_may_approve_and_one_administers() -> None:
    """Nobody approves alone what needs two."""
    roles = [person.role for person in staff()]
    assert 2 == roles.count("approver")
    assert 1 == roles.count("admin")


def test_a_second_factor_is_20_bytes_of_base32() -> None:
    """As RFC 4226 section 4 recommends for HMAC-SHA-1."""
    assert all(20 == len(base64.b32decode(person.totp)) for person in staff())


def test_people_are_the_same_each_time_and_not_each_other() -> None:
    """Passwords can be written down, and belong to one."""
    assert contact_of("acme", "fr", 0) == contact_of("acme", "fr", 0)
    assert contact_of("acme", "fr", 0).password != contact_of("initech", "fr", 0).password
