"""The order in which a Junos is asked, against a server of ours that speaks as Juniper's documents say.

It is no Junos: what it shows is that lock, load, confirmed commit, confirm and the way back fit together over a
real SSH session, and that half of it is undone. That a device answers so, the documents alone say.
"""

from __future__ import annotations

import io
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lxml import etree

from fwguard.devices.junos_netconf import JunosNetconfDevice
from fwguard.devices.protocol import Endpoint
from fwguard.errors import (
    CommitRefusedError,
    DeviceError,
    DeviceUnreachableError,
    NotPendingError,
    PartialReadingError,
    PreimageMovedError,
)
from fwguard.model.inventory import Firewall, Platform, Transport
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
END = b"]]>]]>"
ERROR = "<rpc-error><error-severity>error</error-severity><error-message>{}</error-message></rpc-error>"
OLD = "version 20.4R3;\nsystem {\n    host-name old;\n}\n"
NEW = OLD.replace("old", "new")


class Server(paramiko.ServerInterface):
    """What stands behind the session: a candidate, what is committed and what was before."""

    def __init__(self) -> None:
        self.committed = [OLD]
        self.candidate = OLD
        self.confirmed_in = ""  # minutes, while a commit waits
        self.asked: list[str] = []
        self.locked = False
        self.answers: dict[str, Callable[[], str]] = {}  # instead of the usual one

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        threading.Thread(target=self.speak, args=(channel,), daemon=True).start()
        return name == "netconf"

    def speak(self, channel: paramiko.Channel) -> None:
        """Say hello, then answer each request; a session that ends takes its lock and candidate along."""
        capabilities = "".join(
            f"<capability>{one}</capability>"
            for one in ("urn:ietf:params:netconf:base:1.0", "http://xml.juniper.net/netconf/junos/1.0")
        )
        channel.sendall(
            f'<hello xmlns="{BASE}"><capabilities>{capabilities}</capabilities><session-id>7</session-id></hello>'
            .encode() + END
        )  # fmt: skip
        heard = b""
        with suppress(OSError):
            while data := channel.recv(65536):
                heard += data
                while END in heard:
                    message, _, heard = heard.partition(END)
                    root = etree.fromstring(message)
                    if etree.QName(root).localname == "rpc":
                        said = self.answer(root[0])
                        number = root.get("message-id")
                        channel.sendall(
                            f'<rpc-reply xmlns="{BASE}" message-id="{number}">{said}</rpc-reply>'.encode()
                            + END
                        )
        self.locked, self.candidate = False, self.committed[-1]

    def answer(self, request: etree._Element) -> str:
        """Do what is asked."""
        name = etree.QName(request).localname
        self.asked.append(name)
        if name in self.answers:
            return self.answers.pop(name)()
        if name == "get-configuration":
            text = self.candidate if request.get("database") == "candidate" else self.committed[-1]
            return f"<configuration-text>\n## Last commit: now by ops\n{escape(text)}</configuration-text>"
        if name == "lock-configuration":
            if self.candidate != self.committed[-1]:
                return ERROR.format("configuration database modified")
            self.locked = True
        elif name in ("unlock-configuration", "discard-changes"):
            self.candidate = self.committed[-1]
            self.locked = self.locked and name == "discard-changes"
        elif name == "load-configuration":
            rollback = request.get("rollback")
            self.candidate = self.committed[-1 - int(rollback)] if rollback else request[0].text or ""
            return "<load-configuration-results><ok/></load-configuration-results>"
        elif name == "commit-configuration":
            self.confirmed_in = request.findtext("confirm-timeout") or ""
            if self.candidate != self.committed[-1]:
                self.committed.append(self.candidate)
        return "<ok/>"

    def time_is_up(self) -> None:
        """Go back as a device does when nobody confirmed."""
        self.committed.append(self.committed[-2])
        self.candidate, self.confirmed_in = self.committed[-1], ""


def _key() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@contextmanager
def serving(server: Server) -> Iterator[Endpoint]:
    """Serve one session after another on loopback."""
    host_private, host_public = _key()
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listener.accept()[0])
                transport.add_server_key(paramiko.Ed25519Key.from_private_key(io.StringIO(host_private)))
                transport.start_server(server=server)
                transports.append(transport)

    threading.Thread(target=serve, daemon=True).start()
    firewall = Firewall(
        name="srx", client="acme", platform=Platform.JUNOS, transport=Transport.NETCONF, address="127.0.0.1",
        port=listener.getsockname()[1], username="fwguard",
    )  # fmt: skip
    try:
        yield Endpoint(firewall=firewall, private_key=_key()[0], host_key=host_public, answer_s=2.0)
    finally:
        listener.close()
        for transport in transports:
            transport.close()


@pytest.fixture
def server() -> Server:
    """Return a server that nobody has asked yet."""
    return Server()


@pytest.fixture
def device(server: Server) -> Iterator[JunosNetconfDevice]:
    """Return a session to it."""
    with serving(server) as endpoint:
        found = JunosNetconfDevice(endpoint)
        yield found
        found.close()


def write(id: str) -> tuple[Snapshot, Snapshot, Warrant]:
    """Return what is there, what shall be, and the right to it."""
    before, after = Snapshot({"running": OLD}), Snapshot({"running": NEW})
    warrant = Warrant(
        id=id, ground=Ground.BASELINE, clause="7.1.1", author="ana", reason="test", subject="firewall:srx",
        before=before.digest, after=after.digest, issued_at=datetime.now(UTC),
    )  # fmt: skip
    return before, after, warrant


def test_what_is_committed_is_read_without_what_stands_around_it(
    server: Server, device: JunosNetconfDevice
) -> None:
    """The comment with the time of the last commit is no configuration; somebody's candidate is none either."""
    server.candidate = NEW
    assert Snapshot({"running": OLD}) == device.read()


def test_a_write_is_locked_compared_confirmed_and_final(server: Server, device: JunosNetconfDevice) -> None:
    """It waits for minutes until a second commit, and no lock is left."""
    before, after, warrant = write("w-final")
    device.apply(before, after, warrant=warrant, confirm_s=90)
    assert ("2", NEW, False) == (server.confirmed_in, server.committed[-1], server.locked)
    assert "lock-configuration" == server.asked[0]
    device.confirm(warrant)
    assert ("", NEW, False) == (server.confirmed_in, server.committed[-1], server.locked)
    with pytest.raises(NotPendingError):
        device.roll_back(warrant)


def test_a_write_is_taken_back(server: Server, device: JunosNetconfDevice) -> None:
    """To what was committed before it, for good."""
    before, after, warrant = write("w-back")
    device.apply(before, after, warrant=warrant, confirm_s=60)
    device.roll_back(warrant)
    assert ("", OLD, False) == (server.confirmed_in, server.committed[-1], server.locked)


def test_what_the_device_took_back_is_neither_confirmed_nor_undone_again(
    server: Server, device: JunosNetconfDevice
) -> None:
    """`rollback 1` would be our own write by then."""
    for id, finish, refusal in (("w-1", device.confirm, True), ("w-2", device.roll_back, False)):
        before, after, warrant = write(id)
        device.apply(before, after, warrant=warrant, confirm_s=60)
        server.time_is_up()
        if refusal:
            with pytest.raises(NotPendingError, match="no longer runs"):
                finish(warrant)
        else:
            finish(warrant)
        assert OLD == server.committed[-1]


def test_another_state_is_not_overwritten(server: Server, device: JunosNetconfDevice) -> None:
    """Nothing is loaded where the pre-image moved, nor where somebody's work is unfinished."""
    before, after, warrant = write("w-moved")
    server.committed[-1] = server.candidate = OLD.replace("old", "other")
    with pytest.raises(PreimageMovedError):
        device.apply(before, after, warrant=warrant, confirm_s=60)
    server.committed[-1] = OLD
    with pytest.raises(CommitRefusedError, match="database modified"):
        device.apply(before, after, warrant=warrant, confirm_s=60)
    assert "load-configuration" not in server.asked


@pytest.mark.parametrize("step", ["load-configuration", "commit-configuration"])
def test_a_refusal_leaves_nothing_behind(server: Server, device: JunosNetconfDevice, step: str) -> None:
    """The candidate is discarded, the lock given back, and the device's words are said."""
    before, after, warrant = write(f"w-{step}")
    server.answers[step] = lambda: ERROR.format("zone b is not defined")
    with pytest.raises(CommitRefusedError, match="zone b is not defined"):
        device.apply(before, after, warrant=warrant, confirm_s=60)
    assert (OLD, OLD, False) == (server.candidate, server.committed[-1], server.locked)
    with pytest.raises(NotPendingError):
        device.confirm(warrant)


def test_a_warning_is_no_refusal(server: Server, device: JunosNetconfDevice) -> None:
    """It stands beside the ok."""
    before, after, warrant = write("w-warned")
    server.answers["lock-configuration"] = lambda: (
        ERROR.replace(">error<", ">warning<").format("hm") + "<ok/>"
    )
    device.apply(before, after, warrant=warrant, confirm_s=60)
    assert NEW == server.committed[-1]


def test_an_ok_that_did_nothing_is_not_believed(server: Server, device: JunosNetconfDevice) -> None:
    """What was committed is read back."""
    before, after, warrant = write("w-lied")
    server.answers["commit-configuration"] = lambda: "<ok/>"
    with pytest.raises(CommitRefusedError, match="reads back otherwise"):
        device.apply(before, after, warrant=warrant, confirm_s=60)
    assert OLD == server.committed[-1]


def test_a_device_that_hides_secrets_is_not_read(server: Server, device: JunosNetconfDevice) -> None:
    """Else what is put back would lack them."""
    server.committed[-1] = OLD + "a b; ## SECRET-DATA\n" + "x /* SECRET-DATA */;\n"
    with pytest.raises(PartialReadingError, match="hides secrets"):
        device.read()


def test_a_line_that_breaks_in_a_commit_is_unknown(server: Server, device: JunosNetconfDevice) -> None:
    """Neither refused nor done: the device's timer decides, and a new session says what came of it."""

    def break_off() -> str:
        raise OSError

    before, after, warrant = write("w-broken")
    server.answers["commit-configuration"] = break_off
    with pytest.raises(DeviceError) as error:
        device.apply(before, after, warrant=warrant, confirm_s=60)
    assert isinstance(error.value, DeviceUnreachableError)
    assert re.search("did not answer|broke|closed", str(error.value))
