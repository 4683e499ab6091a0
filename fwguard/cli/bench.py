"""`fwguard bench`: take the figures of the README anew, on this machine."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any, Final

import click

# name -> the module whose `run()` measures and returns plain data.
BENCHES: Final[Mapping[str, str]] = {
    "analysis": "fwguard.bench.analysis",
    "edge": "fwguard.bench.edge",
    "fleet": "fwguard.bench.fleet",
}


@click.command(epilog="Example: fwguard bench fleet --json > figures.json")
@click.argument("name", type=click.Choice([*BENCHES, "all"]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line; with `all`, one by name.")
@click.option("--corpus", metavar="FOLDER", help="For `analysis`: real configurations to count and measure.")
def command(name: str, as_json: bool, corpus: str | None) -> None:
    """Measure, and print figures with the size of the machine and its load.

    `analysis` takes about a minute, and needs the extra `peers` for the ratio to Aerleon. `fleet` needs
    root: it builds a lab of its own, and takes about six minutes. Quiet machines give
    better figures: end what else is running, or read the load beside them.
    """
    figures: dict[str, Any] = {}
    for one in BENCHES if name == "all" else (name,):
        options = {"corpus": corpus} if one == "analysis" and corpus else {}
        figures[one] = importlib.import_module(BENCHES[one]).run(**options)
    shown = figures if name == "all" else figures[name]
    click.echo(json.dumps(shown, ensure_ascii=False, indent=None if as_json else 2))
