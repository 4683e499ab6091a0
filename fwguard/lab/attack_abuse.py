"""Services that the contract forbids, used by a server of the lab: IRC, proxies, Tor, video, mail, mining.

The other end is a real server of Debian in the lab's Internet, on any free port. Clauses 7.3, 7.4 and 7.5.
"""

from __future__ import annotations

import sys
from typing import Final

from fwguard.errors import DeviceError
from fwguard.lab import plan as p
from fwguard.lab.attack_stage import HERE, Stage

_NOBODY: Final = "nobody"
_LACKS_A_MODULE: Final = "exit 10"  # swaks(1), EXIT CODES


def irc(stage: Stage) -> None:
    """An IRC server in the Internet; a client that joins a channel, says two lines and quits."""
    conf = f"""\
[Global]
	Name = irc.lab.example
	Info = a server of the lab
	Ports = {stage.port}
	Listen = {stage.target}
	ServerUID = {_NOBODY}
	ServerGID = nogroup
	MotdPhrase = Hello
[Options]
	DNS = no
	Ident = no
	PAM = no
	SyslogFacility = local1
"""
    stage.serve(["ngircd", "-n", "-f", stage.write("ngircd.conf", conf)])
    said = ":j #lab\n:m #lab hello from the lab\n:m #lab anyone there?\nQUIT :bye\n"
    stage.run(
        ["sic", "-h", stage.target, "-p", str(stage.port), "-n", "labbot"], stdin=said, hold_s=1, limit_s=5
    )


def socks(stage: Stage) -> None:
    """A SOCKS proxy in the Internet; a page through it by version 5, and by version 4 where that has addresses."""
    conf = f"""\
logoutput: stdout
internal: {stage.target} port = {stage.port}
external: {stage.target}
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: {_NOBODY}
client pass {{ from: 0/0 to: 0/0 }}
socks pass {{ from: 0/0 to: 0/0 }}
"""
    stage.serve(["danted", "-f", stage.write("danted.conf", conf), "-p", "/run/danted.pid", "-N", "1"])
    page = _page(stage)
    for version in ("socks5",) if stage.v6 else ("socks5", "socks4"):
        stage.run(_curl("--proxy", f"{version}://{stage.url}:{stage.port}", page))


def proxy(stage: Stage) -> None:
    """An HTTP proxy in the Internet; a page by absolute URI, and one through a tunnel."""
    conf = f"""\
User {_NOBODY}
Group nogroup
Port {stage.port}
Listen {stage.target}
Timeout 10
MaxClients 10
ViaProxyName "lab"
"""
    stage.serve(["tinyproxy", "-d", "-c", stage.write("tinyproxy.conf", conf)])
    page = _page(stage)
    for words in ((), ("--proxytunnel",)):
        stage.run(_curl("--proxy", f"http://{stage.url}:{stage.port}", *words, page))


def tor(stage: Stage) -> None:
    """A Tor relay in the Internet that nobody lists; a client that takes it as its bridge.

    Without a network the client gets no further than the handshake and the relay's description: the TLS shape is
    what a real one's is, and no circuit is ever built.
    """
    relay = f"""\
ORPort {stage.url}:{stage.port}
Address {stage.target}
AssumeReachable 1
BridgeRelay 1
PublishServerDescriptor 0
ExitRelay 0
SocksPort 0
ContactInfo lab
Nickname lab
User {_NOBODY}
DataDirectory {HERE}/relay
"""
    client = f"""\
SocksPort 127.0.0.1:9050
UseBridges 1
Bridge {stage.url}:{stage.port}
ClientUseIPv6 1
DataDirectory {HERE}/client
"""
    stage.directory("relay")
    stage.directory("client")
    relay_conf = stage.write("relay.conf", relay.replace(f"User {_NOBODY}\n", ""))
    stage.serve(["tor", "-f", relay_conf, "--quiet"])
    client_conf = stage.write("client.conf", client)
    stage.run(["tor", "-f", client_conf, "--Log", "notice stdout"], until="(handshake_done)", limit_s=15)


def video(stage: Stage) -> None:
    """A TURN relay in the Internet; two clients on the server that send each other media through it."""
    stage.serve(
        ["turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp-relay", "--log-file=stdout",
         "--pidfile=/run/turnserver.pid", f"--userdb={HERE}/turndb", f"--listening-ip={stage.target}",
         f"--relay-ip={stage.target}", f"--listening-port={stage.port}", "--lt-cred-mech",
         "--user=lab:lab", "--realm=lab.example"],
        udp=True,
    )  # fmt: skip
    stage.run(
        ["turnutils_uclient", "-y", "-c", "-m", "2", "-n", "20", "-l", "160", "-u", "lab", "-w", "lab",
         *(("-x",) if stage.v6 else ()), "-p", str(stage.port), stage.target],
        limit_s=10,
    )  # fmt: skip


def spam(stage: Stage) -> None:
    """A mail server in the Internet that knows few of those written to; one mail to many."""
    stage.serve([sys.executable, "-m", "fwguard.lab.mail_sink", stage.target, str(stage.port)])
    people = ",".join(f"person{number}@victims.example" for number in range(40))
    stage.run(
        ["swaks", "--server", stage.target, "--port", str(stage.port), "--helo", stage.server.name,
         "--from", "offers@shop.example", "--to", people, "--header", "Subject: You have won",
         "--body", "Click here.", *(("-6",) if stage.v6 else ("-4",)), "--timeout", "5"],
        limit_s=15,
    )  # fmt: skip
    if stage.steps[-1].ended == _LACKS_A_MODULE:
        raise DeviceError(
            f"swaks: {stage.steps[-1].said}; `apt-get install libio-socket-inet6-perl` or `make setup`"
        )


def mining(stage: Stage) -> None:
    """A pool in the Internet and a miner on the server, both ours: they speak stratum and compute nothing."""
    stage.serve([sys.executable, "-m", "fwguard.lab.stratum", "pool", stage.target, str(stage.port)])
    stage.run(
        [sys.executable, "-m", "fwguard.lab.stratum", "miner", stage.target, str(stage.port)], limit_s=10
    )


def _page(stage: Stage) -> str:
    """Return a page of the Internet that is not on the proxy's own address."""
    return f"http://[{p.PARTNER6}]/" if stage.v6 else f"http://{p.PARTNER4}/"


def _curl(*words: str) -> list[str]:
    return ["curl", "--silent", "--show-error", "--max-time", "5", "--output", "/dev/null", *words]
