"""`fwguard query`: what a configuration does with packets."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from fwguard.cli.configuration import clean, dialect_option, json_option, load, print_json
from fwguard.errors import InputError

if TYPE_CHECKING:
    from fwguard.analysis.query import Judge
    from fwguard.model.packet import Verdict

_EXAMPLE = "fwguard query rules.v4 --src 198.51.100.7 --dst 192.0.2.10 --proto tcp --dport 443"
_STYLES = {"accept": "green", "drop": "red", "reject": "red", "unknown": "yellow"}
_WRITE_EVERY = 4096
_MOST_KEPT = 100_000
_MOST_BYTES = 65536


@click.command(
    short_help="Say what a configuration does with a packet, and which line decides.",
    epilog=f"Example:  {_EXAMPLE}",
)
@click.argument("file")
@click.option("--src", metavar="A", help="Source address.")
@click.option("--dst", metavar="B", help="Target address, as the packet bears it when it comes in.")
@click.option("--proto", metavar="P", help="tcp, udp, icmp, … or a number.")
@click.option("--dport", type=int, metavar="N", help="Target port.")
@click.option("--sport", type=int, metavar="N", help="Source port.")
@click.option("--icmp-type", metavar="T", help="ICMP type, when the protocol is icmp.")
@click.option("--in", "ingress", metavar="IF", help="Interface or zone it comes in by.")
@click.option("--out", "egress", metavar="IF", help="Interface or zone it goes out by.")
@click.option("--chain", type=click.Choice(["forward", "input", "output"]), default=None)
@click.option("--packets", metavar="FILE.jsonl", help="Answer every packet of a file, one object a line.")
@dialect_option
@json_option
def command(
    file: str, src: str | None, dst: str | None, proto: str | None, dport: int | None, sport: int | None,
    icmp_type: str | None, ingress: str | None, egress: str | None, chain: str | None,
    packets: str | None, dialect: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Say what FILE does with the first packet of a connection, destination NAT applied first.

    What is not given is any one value that the configuration does not tell from others. The verdict is
    accept, drop, reject, or unknown when a line that could not be read may decide.
    """
    from fwguard.analysis.query import Judge

    given = {
        "src": src, "dst": dst, "proto": proto, "sport": sport, "dport": dport, "in": ingress,
        "out": egress, "chain": chain, "icmp_type": icmp_type,
    }  # fmt: skip
    fields = {name: value for name, value in given.items() if value is not None}
    if packets is not None:
        if fields:
            raise InputError("--packets with a packet on the command line", expected="one of them")
        _answer_all(Judge(load(file, dialect).policy), packets)
        return
    if "src" not in fields and "dst" not in fields:
        raise InputError("no packet", expected=f"--src or --dst, as in: {_EXAMPLE}")
    _answer_one(Judge(load(file, dialect).policy), fields, as_json)


def _answer_one(judge: Judge, fields: dict[str, Any], as_json: bool) -> None:
    from fwguard.analysis.packets import PacketReader

    answer = judge.verdict(PacketReader(judge).read(fields))
    if as_json:
        print_json(_to_json(answer))
        return
    click.secho(answer.answer.value, fg=_STYLES[answer.answer.value], bold=True, nl=False)
    click.echo(f"  {clean(answer.why)}")


def _to_json(answer: Verdict) -> dict[str, object]:
    return {"verdict": answer.answer.value, "line": answer.line, "why": answer.why}


def _answer_all(judge: Judge, path: str) -> None:
    """Stream: a file of any length takes little memory."""
    from fwguard.analysis.packets import PacketReader

    reader = PacketReader(judge)
    written: dict[Verdict, str] = {}
    lines: list[str] = []
    try:
        with sys.stdin.buffer if path == "-" else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    answer = judge.verdict(reader.read(_fields(line, f"{path}:{number}")))
                    text = written.get(answer)
                    if text is None:
                        if len(written) > _MOST_KEPT:
                            written.clear()
                        text = written[answer] = json.dumps(_to_json(answer), ensure_ascii=False) + "\n"
                    lines.append(text)
                    if len(lines) >= _WRITE_EVERY:
                        sys.stdout.write("".join(lines))
                        lines.clear()
    except OSError as error:
        raise InputError(f"{error.strerror}", where=path, expected="a readable file") from None
    except InputError as error:
        message = str(error)
        raise (
            error if error.where.startswith(path) else InputError(message, where=f"{path}:{number}")
        ) from None
    finally:
        sys.stdout.write("".join(lines))
        sys.stdout.flush()


def _fields(line: bytes, where: str) -> dict[str, Any]:
    if len(line) > _MOST_BYTES:
        raise InputError(f"a line of {len(line)} bytes", where=where, expected="one packet a line")
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{error}", where=where, expected="one JSON object a line") from None
    if type(fields) is not dict:
        raise InputError("no JSON object", where=where, expected='{"src": …, "dst": …}')
    return fields
