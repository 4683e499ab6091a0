"""`fwguard edge`: what an edge enforces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from fwguard.cli import edge_run
from fwguard.cli.configuration import clean, json_option, print_json
from fwguard.errors import InputError

if TYPE_CHECKING:
    from fwguard.model.edge import EdgeState
    from fwguard.model.packet import Packet

_EXAMPLE = (
    "fwguard edge explain --state edge1.json --in uplink --src 198.51.100.7 --dst 192.0.2.10 --dport 443"
)


# On the controller; imported when called, since an edge has neither its database nor its devices.
_ON_CONTROLLER = ("add", "architecture", "list", "port", "revoke", "show", "token")


class _EdgeGroup(click.Group):
    """Commands of an edge, and those of the controller about edges."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names."""
        return sorted((*super().list_commands(ctx), *_ON_CONTROLLER))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import what is called."""
        if cmd_name in _ON_CONTROLLER:
            from fwguard.cli.edges import COMMANDS

            return COMMANDS[cmd_name]
        return super().get_command(ctx, cmd_name)


@click.group(cls=_EdgeGroup, short_help="What an edge enforces, and why.")
def command() -> None:
    """An edge is an operator's node that all traffic of its servers passes.

    \b
    Example: fwguard edge explain --state edge1.json --in uplink --src 198.51.100.7 --dst 192.0.2.10 --dport 443
    """


for one in (edge_run.enrol, edge_run.load, edge_run.run):
    command.add_command(one)


@command.command(
    short_help="Say which clause decides what happens to a packet.", epilog=f"Example:  {_EXAMPLE}"
)
@click.option("--state", "path", required=True, metavar="FILE", help="The desired state, as JSON.")
@click.option("--packet", metavar="WORDS", help='The same in one: "tcp/443 from A to B [in IF]".')
@click.option("--src", metavar="A", help="Source address.")
@click.option("--dst", metavar="B", help="Target address.")
@click.option("--proto", metavar="P", default=None, help="tcp (with a port), udp, icmp, … or a number.")
@click.option("--dport", type=click.IntRange(0, 65535), default=None, metavar="N", help="Target port.")
@click.option("--sport", type=click.IntRange(0, 65535), default=40000, metavar="N", help="Source port.")
@click.option("--icmp-type", type=click.IntRange(0, 255), default=None, metavar="T", help="ICMP type.")
@click.option(
    "--in", "--port", "ingress", metavar="IF", help="Port, or its server, or the uplink it comes in by."
)
@click.option("--out", "egress", metavar="IF", default="", help="Where it goes out; else as the edge routes.")
@click.option("--mac", metavar="M", default="", help="Source MAC address; else its port's own.")
@click.option("--at", "now_s", type=int, default=None, metavar="S", help="Seconds since 1970; else now.")
@click.option(
    "--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the words."
)
@json_option
@click.pass_context
def explain(
    ctx: click.Context, path: str, packet: str | None, src: str | None, dst: str | None, proto: str | None,
    dport: int | None, sport: int, icmp_type: int | None, ingress: str | None, egress: str, mac: str,
    now_s: int | None, language: str, as_json: bool,
) -> None:  # fmt: skip
    """Say whether the first packet of a connection passes, by which clause and ticket, and why.

    Ends with 0 when it passes, 1 when it does not.
    """
    from fwguard.cli.edge_files import read_state
    from fwguard.compile.contract import Contract
    from fwguard.compile.contract_words import why
    from fwguard.model.inventory import Language

    state = read_state(path)
    if packet is not None:
        if src or dst or proto or dport is not None:
            raise InputError("--packet beside --src, --dst, --proto or --dport", expected="one way to say it")
        proto, dport, src, dst, ingress = _words(packet, ingress)
    if not src or not dst:
        raise InputError("no packet", expected=f"--src and --dst, as in: {_EXAMPLE}")
    asked = _packet(state, src, dst, proto, dport, sport, icmp_type, ingress, egress)
    at_s = int(time.time()) if now_s is None else now_s
    decision = Contract(state, now_s=at_s).judge(asked, ether=mac.lower())
    words = why(decision, Language(language))
    if as_json:
        print_json(
            {
                "verdict": "accept" if decision.passes else "drop", "clause": decision.clause,
                "ticket": decision.ticket, "why": words, "in": asked.ingress,
                "out": asked.egress or Contract(state, now_s=at_s).egress_of(asked),
            }
        )  # fmt: skip
    else:
        click.secho(
            "accept" if decision.passes else "drop",
            fg="green" if decision.passes else "red",
            bold=True,
            nl=False,
        )
        ticket = f" ({clean(decision.ticket)})" if decision.ticket else ""
        click.echo(f"  clause {clean(decision.clause)}{ticket}: {clean(words)}")
    ctx.exit(0 if decision.passes else 1)


def _words(text: str, ingress: str | None) -> tuple[str, int | None, str, str, str | None]:
    """Read "tcp/443 from 198.51.100.7 to 192.0.2.10 in uplink"."""
    words = text.split()
    expected = 'words as "tcp/443 from 198.51.100.7 to 192.0.2.10 in uplink"'
    if len(words) not in (5, 7) or words[1] != "from" or words[3] != "to" or words[5:6] not in ([], ["in"]):
        raise InputError(f"packet {text[:120]!r}", expected=expected)
    protocol, slash, port = words[0].partition("/")
    if slash and not (port.isdecimal() and int(port) <= 65535):
        raise InputError(f"port {port[:20]!r}", expected=expected)
    return (
        protocol,
        int(port) if slash else None,
        words[2],
        words[4],
        words[6] if len(words) == 7 else ingress,
    )


def _packet(
    state: EdgeState, src: str, dst: str, proto: str | None, dport: int | None, sport: int,
    icmp_type: int | None, ingress: str | None, egress: str,
) -> Packet:  # fmt: skip
    from fwguard.model.address import parse_span
    from fwguard.model.packet import Packet
    from fwguard.model.ports import ICMP, ICMPV6, TCP, WITH_PORTS, parse_protocol

    for address in (src, dst):
        _, first, last = parse_span(address)
        if first != last:
            raise InputError(f"address {address!r}", expected="one address")
    version = parse_span(src)[0]
    icmp = ICMP if version == 4 else ICMPV6
    if proto is None:
        protocol = TCP if dport is not None else icmp
    else:
        protocol = icmp if proto.lower() in ("icmp", "icmpv6") else parse_protocol(proto)
    if protocol in WITH_PORTS and dport is None:
        raise InputError("no port", expected="--dport, as in: --dport 443")
    if icmp_type is None and protocol == icmp:
        icmp_type = 8 if version == 4 else 128  # echo request
    has_ports = protocol in WITH_PORTS
    return Packet(
        source=src, target=dst, protocol=protocol, sport=sport if has_ports else 0,
        dport=dport or 0 if has_ports else 0, ingress=_ingress(state, src, ingress), egress=egress,
        icmp_type=None if icmp_type is None else icmp_type << 8,
    )  # fmt: skip


def _ingress(state: EdgeState, src: str, given: str | None) -> str:
    """Return the interface that was meant: by its name, its server's, or as the only holder of the source."""
    from fwguard.model.address import AddressSet

    known = {port.interface for port in state.ports} | set(state.uplinks)
    if given in known:
        return str(given)
    held = AddressSet.parse(src)
    found = [p.interface for p in state.ports if (p.server == given if given else held <= p.addresses)]
    if len(found) == 1:
        return found[0]
    if given or found:
        meant = f"--in {given}" if given else f"{src} is behind {', '.join(found)}"
        raise InputError(meant, expected="one port of the edge: --in IF")
    return state.uplinks[0]
