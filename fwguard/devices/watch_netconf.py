"""Changes of a NETCONF firewall as it streams them (RFC 5277, RFC 6470)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Final

from lxml import etree
from ncclient import NCClientError
from ncclient.manager import Manager
from ncclient.xml_ import to_ele

from fwguard.devices.netconf_session import NOTHING, PinnedSession
from fwguard.devices.protocol import ChangeSeen, Endpoint
from fwguard.errors import DeviceError, DeviceUnreachableError

NOTIFICATIONS_NS: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"
# Events after which running may be another; the others (sessions, capabilities) are not about it.
_CHANGES: Final = {
    "netconf-config-change": "changed",
    "netconf-confirmed-commit": "confirmed commit",
}
HEARTBEAT_S: Final = 20.0
STOP_S: Final = 0.5  # how late `stop` is seen


class NetconfWatcher:
    """Reports every change of running, by whomever, ours too: the flow decides what it means.

    Also reported: a confirmed commit that began, ended, was cancelled or timed out, since running moves
    with each. Changes of startup stream nothing; polling sees them. The far side is asked for nothing at
    all every 20 s where it allows that on a subscribed session (`:interleave`, RFC 5277 section 6), so
    that a device that hangs is not taken for a quiet one. (Not more often: netconfd looks at its
    confirmed-commit timer only in a second without any request.)
    """

    def __init__(self, endpoint: Endpoint, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._endpoint = endpoint
        self._heartbeat_s = heartbeat_s
        self._where = f"firewall {endpoint.firewall.name}"

    def run(self, on_change: Callable[[ChangeSeen], None], stop: Event) -> None:
        """Block until `stop`. Raises DeviceError when the stream breaks or cannot begin."""
        session = PinnedSession(self._endpoint)
        try:
            self._watch(session, on_change, stop)
        except (NCClientError, OSError) as error:
            said = str(error).splitlines()[0][:200] if str(error) else "the line broke"
            raise DeviceUnreachableError(f"{self._where}: the stream of changes ended: {said}") from None
        finally:
            session.close()

    def _watch(self, session: PinnedSession, on_change: Callable[[ChangeSeen], None], stop: Event) -> None:
        if ":notification" not in session.server_capabilities:
            raise DeviceError(f"{self._where} streams no changes (:notification): it is polled only")
        manager = Manager(session, session.device_handler, timeout=self._endpoint.answer_s)
        manager.create_subscription()
        beats = ":interleave" in session.server_capabilities
        beat_at = time.monotonic() + self._heartbeat_s
        while not stop.is_set():
            notification = session.take_notification(True, STOP_S)
            if notification is not None:
                seen = change_in(notification.notification_xml)
                if seen:
                    on_change(ChangeSeen(at=datetime.now(UTC), what=seen))
            elif not session.connected:
                raise DeviceUnreachableError(f"{self._where}: the stream of changes ended")
            elif beats and time.monotonic() >= beat_at:
                manager.dispatch(to_ele(NOTHING))
                beat_at = time.monotonic() + self._heartbeat_s


def change_in(notification: str) -> str:
    """Say what a notification reports, in one bounded line; empty when it is about no change."""
    try:
        root = etree.fromstring(
            notification.encode(), etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except etree.XMLSyntaxError:
        return "a notification that is no XML"
    for event in root:
        name = etree.QName(event)
        if name.namespace == NOTIFICATIONS_NS and name.localname in _CHANGES:
            return _in_words(event, _CHANGES[name.localname])
    return ""


def _in_words(event: etree._Element, verb: str) -> str:
    def said(path: str) -> str:
        found = event.find("/".join(f"{{{NOTIFICATIONS_NS}}}{step}" for step in path.split("/")))
        return " ".join((found.text or "").split()) if found is not None else ""

    by = said("changed-by/username") or said("username") or "the device itself"
    session = said("changed-by/session-id") or said("session-id")
    what = said("confirm-event")
    edits = [
        f"{edit.findtext(f'{{{NOTIFICATIONS_NS}}}operation') or 'edit'} "
        f"{edit.findtext(f'{{{NOTIFICATIONS_NS}}}target') or ''}".strip()
        for edit in event.findall(f"{{{NOTIFICATIONS_NS}}}edit")[:5]
    ]
    who = f"{by} (session {session})" if session else by
    return f"{verb} {what} by {who}: {'; '.join(edits)}".replace("  ", " ").rstrip(": ")[:400]
