"""The same openings as one list of iptables rules: what the edge's cost is compared with."""

from __future__ import annotations

from collections.abc import Iterator

from fwguard.bench.edge_platform import opened, public


def linear_text(servers: int, version: int) -> str:
    """Return the openings of so many servers for `iptables-restore` or `ip6tables-restore`, one rule each."""
    return "".join(f"{line}\n" for line in _lines(servers, version))


def _lines(servers: int, version: int) -> Iterator[str]:
    yield from ("*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]")
    yield "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
    yield "-A FORWARD -m conntrack --ctstate INVALID -j DROP"
    yield "-A FORWARD -i o0 -j ACCEPT"
    # The first client's servers stand in the middle: a connection to them passes half the list.
    for server in (*range(servers // 2, servers), *range(servers // 2)):
        for port in opened(server, version):
            yield f"-A FORWARD -d {public(server, version)} -p tcp -m tcp --dport {port} -j ACCEPT"
    yield "COMMIT"
