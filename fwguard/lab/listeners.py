"""What the lab's servers and its Internet serve: small real listeners, one process a host.

Started as `python -m fwguard.lab.listeners` with a JSON list on standard input, one object a host:
{"host", "netns", "tcp": [ports], "udp": [ports]}. Prints `ready` once every port listens. On ports of
the web it answers HTTP; on others it greets; both name the server and the peer's address as the server
sees it, so that a test can tell who answered and behind which address translation. Then it echoes.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import sys
from typing import Final, TypedDict

from fwguard.lab.namespaces import enter

WEB_PORTS: Final = frozenset({80, 443, 8080})
MOST_CONNECTIONS: Final = 2000
_PR_SET_NAME: Final = 15  # prctl(2)


class Host(TypedDict):
    """One host to serve for."""

    host: str
    netns: str
    tcp: list[int]
    udp: list[int]


def open_ports(host: Host) -> dict[socket.socket, int]:
    """Enter the host's namespace and listen, on both families with one socket a port."""
    enter(host["netns"])
    listening = {}
    for kind, ports in ((socket.SOCK_STREAM, host["tcp"]), (socket.SOCK_DGRAM, host["udp"])):
        for port in ports:
            door = socket.socket(socket.AF_INET6, kind)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            if kind == socket.SOCK_DGRAM:  # answer from the address that was asked
                door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            door.setblocking(False)
            door.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                door.listen(128)
            listening[door] = port
    return listening


def greeting(host: str, port: int, peer: str) -> bytes:
    """Return the line that says who answers and whom it sees."""
    return f"{host} port={port} peer={peer.removeprefix('::ffff:')}\n".encode()


def serve(host: str, doors: dict[socket.socket, int]) -> None:
    """Serve until killed."""
    selector = selectors.DefaultSelector()
    for door, port in doors.items():
        selector.register(door, selectors.EVENT_READ, port)
    open_connections: set[socket.socket] = set()
    while True:
        for key, _ in selector.select():
            ready = key.fileobj
            assert isinstance(ready, socket.socket)
            try:
                if ready in open_connections:
                    if not _echo(host, ready, key.data):
                        raise ConnectionError
                elif ready.type == socket.SOCK_DGRAM:
                    _answer_datagram(host, ready, key.data)
                elif (accepted := _accept(host, ready, key.data)) is not None:
                    if len(open_connections) >= MOST_CONNECTIONS:
                        accepted.close()
                        continue
                    open_connections.add(accepted)
                    selector.register(accepted, selectors.EVENT_READ, key.data)
            except OSError:
                if ready in open_connections:
                    open_connections.discard(ready)
                    selector.unregister(ready)
                    ready.close()


def _accept(host: str, door: socket.socket, port: int) -> socket.socket | None:
    connection, peer = door.accept()
    connection.setblocking(False)
    if port not in WEB_PORTS:
        try:
            connection.send(greeting(host, port, peer[0]))
        except OSError:
            connection.close()
            return None
    return connection


def _echo(host: str, connection: socket.socket, port: int) -> bool:
    """Answer what came; tell whether the connection goes on."""
    try:
        data = connection.recv(65536)
    except BlockingIOError:
        return True
    if not data:
        return False
    if port in WEB_PORTS and data.startswith((b"GET ", b"HEAD ")):
        body = greeting(host, port, connection.getpeername()[0])
        head = f"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.send(head.encode() + body)
        return False
    try:
        connection.send(data)
    except BlockingIOError:
        return True  # a peer that does not read loses its echo
    return True


def _answer_datagram(host: str, door: socket.socket, port: int) -> None:
    _, ancillary, _, peer = door.recvmsg(2048, 256)
    info = [part for part in ancillary if part[1] == socket.IPV6_PKTINFO]
    door.sendmsg([greeting(host, port, peer[0])], info, 0, peer)


def main() -> None:
    """Fork one process a host; the first host is served by the parent, which reaps the others."""
    hosts: list[Host] = json.load(sys.stdin)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    told, tell = os.pipe()
    for host in hosts[1:]:
        if os.fork() == 0:
            _serve_and_tell(host, tell)
    doors = open_ports(hosts[0])
    os.close(tell)
    ready = 0
    while ready < len(hosts) - 1:
        block = os.read(told, 4096)
        if not block:
            sys.exit("a server could not listen")
        ready += len(block)
    print("ready", flush=True)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    _name(hosts[0]["host"])
    serve(hosts[0]["host"], doors)


def _serve_and_tell(host: Host, tell: int) -> None:
    try:
        doors = open_ports(host)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.write(tell, b".")
        os.close(tell)
        _name(host["host"])
        serve(host["host"], doors)
    finally:
        os._exit(1)


def _name(host: str) -> None:
    """Name this process for ps and top."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, f"srv:{host}"[:15].encode(), 0, 0, 0)


if __name__ == "__main__":
    main()
