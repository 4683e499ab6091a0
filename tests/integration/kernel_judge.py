"""A real kernel as judge of a ruleset: a firewall in a namespace, packets in, and which of them come out.

    with KernelJudge() as judge:
        judge.run(["nft", "-f", "-"], text)
        arrived = judge.judge(packets)

The firewall has three interfaces, wan0, lan0 and dmz0; 10.1.0.0/16 and 2001:db8:1::/48 are behind lan0,
10.2.0.0/16 and 2001:db8:2::/48 behind dmz0, everything else behind wan0. `OWN` are its own addresses.
Every packet ends in a mark of its own, so that address translation on the way does not hide it.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import secrets
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Self, TypeVar

from fwguard.model.packet import Packet
from fwguard.model.policy import Hook

INTERFACES: Final = ("wan0", "lan0", "dmz0")
NETS: Final = {"lan0": ("10.1.0.0/16", "2001:db8:1::/48"), "dmz0": ("10.2.0.0/16", "2001:db8:2::/48")}
OWN: Final = {
    "wan0": ("203.0.113.1", "2001:db8:ffff::1"),
    "lan0": ("10.1.0.1", "2001:db8:1::1"),
    "dmz0": ("10.2.0.1", "2001:db8:2::1"),
}
MAGIC: Final = b"judge"
BATCH: Final = 100
QUIET_S: Final = 0.04
CLONE_NEWNET: Final = 0x40000000
RAW_V4: Final = (1, 6, 17, 47, 50, 132)
RAW_V6: Final = (58, 6, 17, 47, 50, 132)

Made = TypeVar("Made")


def egress_of(target: str) -> str:
    """Return the interface that the firewall's routes choose for a target."""
    address = ipaddress.ip_address(target)
    for name, nets in NETS.items():
        if any(address in ipaddress.ip_network(net) for net in nets):
            return name
    return "wan0"


def is_routable(text: str, *, own: bool = False) -> bool:
    """Tell whether a kernel forwards to (or takes from) this address without reasons of its own."""
    address = ipaddress.ip_address(text)
    if address.is_multicast or address.is_loopback or address.is_link_local or address.is_unspecified:
        return False
    if address.version == 4 and (int(address) >> 24 in (0, 127) or int(address) >> 28 >= 14):
        return False
    if address.version == 6 and int(address) >> 32 in (0, 0xFFFF):
        return False
    mine = any(text in pair for pair in OWN.values())
    if mine != own:
        return False
    links = (
        "198.18.0.0/24",
        "10.1.255.255/32",
        "10.1.0.0/32",
        "10.2.0.0/32",
        "10.2.255.255/32",
        "2001:db8:fe::/48",
    )
    return not any(address in ipaddress.ip_network(net) for net in links)


class KernelJudge:
    """The firewall's namespace and the one around it; both gone after `with`, whatever happened."""

    def __init__(self) -> None:
        run = secrets.token_hex(4)
        self.firewall = f"judge-fw-{run}"
        self.outside = f"judge-out-{run}"
        self.wires: dict[str, socket.socket] = {}
        self.raw: list[socket.socket] = []
        self.own: dict[int, socket.socket] = {}
        self.macs: dict[str, tuple[bytes, bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in (*self.wires.values(), *self.raw, *self.own.values()):
            one.close()
        for name in (self.firewall, self.outside):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    def run(self, command: list[str], stdin: str = "") -> str:
        """Run a command in the firewall; returns what it printed, raises with its complaint."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.firewall, *command],
            input=stdin, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[:2000]}")
        return done.stdout

    def judge(self, packets: Sequence[Packet]) -> list[bool]:
        """Send each packet once, and once more if it did not come out; tell which came out.

        FORWARD packets come out at an outside wire, INPUT ones at a raw socket of the firewall, OUTPUT
        ones, which the firewall sends itself, at an outside wire.
        """
        arrived: set[int] = set()
        for _ in range(2):
            missing = [index for index in range(len(packets)) if index not in arrived]
            for start in range(0, len(missing), BATCH):
                batch = missing[start : start + BATCH]
                for index in batch:
                    self._send(packets[index], index)
                arrived |= self._collect(packets)
        return [index in arrived for index in range(len(packets))]

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        for name in (self.firewall, self.outside):
            _ip("netns", "add", name)
        subprocess.run(
            ["ip", "netns", "exec", self.outside, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
             "net.ipv6.conf.default.disable_ipv6=1"], check=True,
        )  # fmt: skip
        self.run(
            ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
             "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
             "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0",
             "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.accept_ra=0"]
        )  # fmt: skip
        self.run(["ip", "link", "set", "lo", "up"])
        for number, name in enumerate(INTERFACES):
            _ip("link", "add", "name", name, "netns", self.firewall, "type", "veth", "peer", "name", name,
                "netns", self.outside)  # fmt: skip
            _ip("-n", self.outside, "link", "set", name, "up")
            self.run(["ip", "link", "set", name, "up"])
            mine = _mac(self.firewall, name)
            theirs = _mac(self.outside, name)
            self.macs[name] = mine, theirs
            link4, link6 = f"198.18.0.{number * 4 + 1}", f"2001:db8:fe:{number}::1"
            via4, via6 = f"198.18.0.{number * 4 + 2}", f"2001:db8:fe:{number}::2"
            lladdr = ":".join(f"{byte:02x}" for byte in theirs)
            self.run(["ip", "addr", "add", f"{link4}/30", "dev", name])
            self.run(["ip", "-6", "addr", "add", f"{link6}/64", "dev", name, "nodad"])
            self.run(["ip", "addr", "add", f"{OWN[name][0]}/32", "dev", name])
            self.run(["ip", "-6", "addr", "add", f"{OWN[name][1]}/128", "dev", name, "nodad"])
            for via, nets in ((via4, 0), (via6, 1)):
                self.run(["ip", "neigh", "add", via, "lladdr", lladdr, "dev", name, "nud", "permanent"])
                net = NETS[name][nets] if name in NETS else "default"
                self.run(["ip", f"-{6 if nets else 4}", "route", "add", net, "via", via, "dev", name])
        self.wires = _in_namespace(self.outside, self._open_wires)
        self.raw, self.own = _in_namespace(self.firewall, self._open_own)

    def _open_wires(self) -> dict[str, socket.socket]:
        wires = {}
        for name in INTERFACES:
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            wire.bind((name, 3))
            wire.setblocking(False)
            wires[name] = wire
        return wires

    def _open_own(self) -> tuple[list[socket.socket], dict[int, socket.socket]]:
        raw = []
        for family, protocols in ((socket.AF_INET, RAW_V4), (socket.AF_INET6, RAW_V6)):
            for protocol in protocols:
                one = socket.socket(family, socket.SOCK_RAW, protocol)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
                one.setblocking(False)
                raw.append(one)
        own = {
            4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
            6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
        }
        return raw, own

    # ------------------------------------------------------------------ sending and seeing

    def _send(self, packet: Packet, index: int) -> None:
        payload = MAGIC + struct.pack("!I", index)
        datagram = craft(packet, payload)
        version = datagram[0] >> 4
        if packet.hook is Hook.OUTPUT:
            with contextlib.suppress(PermissionError):  # what an output chain drops, sendto refuses
                self.own[version].sendto(datagram, (packet.target, 0))
            return
        mine, theirs = self.macs[packet.ingress]
        frame = mine + theirs + struct.pack("!H", 0x0800 if version == 4 else 0x86DD) + datagram
        self.wires[packet.ingress].send(frame)

    def _collect(self, packets: Sequence[Packet]) -> set[int]:
        seen: set[int] = set()
        inner = set(self.raw)
        last = time.monotonic()
        everything = [*self.wires.values(), *self.raw]
        while time.monotonic() - last < QUIET_S:
            ready, _, _ = select.select(everything, [], [], QUIET_S)
            for one in ready:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        data, sender = one.recvfrom(2048)
                        if one not in inner and sender[2] == socket.PACKET_OUTGOING:
                            continue
                        if len(data) < 9 or data[-9:-4] != MAGIC:
                            continue
                        index = struct.unpack("!I", data[-4:])[0]
                        if index < len(packets) and not _is_error(data, one in inner):
                            hook = packets[index].hook
                            if (hook is Hook.INPUT) == (one in inner):
                                seen.add(index)
                                last = time.monotonic()
        return seen


def _is_error(data: bytes, is_inner: bool) -> bool:
    """Tell whether a frame is an ICMP error that quotes a packet of ours (what `reject` sends)."""
    if is_inner:
        return False
    packet = data[14:]
    protocol, offset = (packet[9], 20) if packet[0] >> 4 == 4 else (packet[6], 40)
    if protocol not in (1, 58) or len(packet) < offset + 8:
        return False
    return packet[offset] in ((3,) if protocol == 1 else (1,)) and len(packet) - offset > 8 + 9 + 4


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


def _mac(namespace: str, name: str) -> bytes:
    text = subprocess.run(
        ["ip", "netns", "exec", namespace, "cat", f"/sys/class/net/{name}/address"],
        check=True, capture_output=True, text=True, timeout=30,
    ).stdout  # fmt: skip
    return bytes.fromhex(text.strip().replace(":", ""))


def _in_namespace(name: str, make: Callable[[], Made]) -> Made:
    """Run `make` in a thread of its own in the namespace; the sockets that it opens stay there."""
    out: list[Made] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            handle = os.open(f"/run/netns/{name}", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(handle)
            out.append(make())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return out[0]


# ---------------------------------------------------------------------- packets


def craft(packet: Packet, payload: bytes) -> bytes:
    """Return a whole IP datagram, checksums right (conntrack calls a wrong one invalid)."""
    source, target = ipaddress.ip_address(packet.source), ipaddress.ip_address(packet.target)
    pseudo = _pseudo(source.packed, target.packed, packet.protocol)
    body = _transport(packet, payload, pseudo)
    if source.version == 6:
        return (
            struct.pack("!IHBB", 6 << 28, len(body), packet.protocol, 64)
            + source.packed
            + target.packed
            + body
        )
    head = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + len(body), secrets.randbelow(65536), 0, 64, packet.protocol, 0
    )
    head += source.packed + target.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def _pseudo(source: bytes, target: bytes, protocol: int) -> Callable[[int], bytes]:
    if len(source) == 4:
        return lambda length: source + target + struct.pack("!BBH", 0, protocol, length)
    return lambda length: source + target + struct.pack("!IHBB", length, 0, 0, protocol)


def _transport(packet: Packet, payload: bytes, pseudo: Callable[[int], bytes]) -> bytes:
    ports = struct.pack("!HH", packet.sport, packet.dport)
    if packet.protocol == 6:
        head = ports + struct.pack("!IIBBHHH", secrets.randbits(32), 0, 5 << 4, 0x02, 64240, 0, 0)
        return _summed(head + payload, 16, pseudo)
    if packet.protocol == 17:
        return _summed(ports + struct.pack("!HH", 8 + len(payload), 0) + payload, 6, pseudo)
    if packet.protocol in (1, 58):
        kind = packet.icmp_type or 0
        body = struct.pack("!BBHHH", kind >> 8, kind & 255, 0, packet.sport, 1) + payload
        return _summed(body, 2, pseudo if packet.protocol == 58 else None)
    if packet.protocol == 132:
        init = struct.pack("!BBHIIHHI", 1, 0, 20, secrets.randbits(32) | 1, 65536, 10, 10, 1)
        pad = struct.pack("!HHHB", 0x8008, 4 + 3 + len(payload), 0, 0) + payload  # a skippable parameter
        chunk = struct.pack("!BBH", 1, 0, 20 + len(pad)) + init[4:] + pad
        whole = ports + struct.pack("!II", 0, 0) + chunk
        return whole[:8] + struct.pack("<I", crc32c(whole)) + whole[12:]
    if packet.protocol == 47:
        return struct.pack("!HH", 0, 0x6558) + payload
    return struct.pack("!II", 0x1234, 1) + payload


def _summed(body: bytes, at: int, pseudo: Callable[[int], bytes] | None) -> bytes:
    value = checksum((pseudo(len(body)) if pseudo else b"") + body) or 0xFFFF
    return body[:at] + struct.pack("!H", value) + body[at + 2 :]


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def crc32c(data: bytes) -> int:
    """Return the CRC32c of SCTP (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
