"""Which notifications are about a change, and what is said of them."""

from __future__ import annotations

from fwguard.devices.watch_netconf import change_in

NOTIFICATION = "urn:ietf:params:xml:ns:netconf:notification:1.0"
EVENTS = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"


def notification(event: str) -> str:
    """Return a notification as RFC 5277 has it."""
    return f'<notification xmlns="{NOTIFICATION}"><eventTime>2026-01-01T00:00:00Z</eventTime>{event}</notification>'


def test_a_change_names_who_and_what() -> None:
    """RFC 6470 section 2.2."""
    event = (
        f'<netconf-config-change xmlns="{EVENTS}"><changed-by><username>root</username>'
        "<session-id>7</session-id></changed-by>"
        "<edit><target>/acl:acls</target><operation>replace</operation></edit></netconf-config-change>"
    )
    assert "changed by root (session 7): replace /acl:acls" == change_in(notification(event))


def test_a_commit_that_times_out_is_a_change_by_the_device() -> None:
    """Running moves with it."""
    event = (
        f'<netconf-confirmed-commit xmlns="{EVENTS}">'
        "<confirm-event>timeout</confirm-event></netconf-confirmed-commit>"
    )
    assert "confirmed commit timeout by the device itself" == change_in(notification(event))


def test_sessions_are_no_change_and_what_is_said_is_bounded() -> None:
    """A client that writes much in a name fills no log."""
    event = f'<netconf-session-start xmlns="{EVENTS}"><username>root</username></netconf-session-start>'
    long = (
        f'<netconf-config-change xmlns="{EVENTS}"><username>{"x" * 9999}</username></netconf-config-change>'
    )
    assert "" == change_in(notification(event))
    assert 400 == len(change_in(notification(long)))
    assert "a notification that is no XML" == change_in("<half")
