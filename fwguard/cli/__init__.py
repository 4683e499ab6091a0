"""The command line: one file per command group, loaded only when it is called.

Exit codes (errors.py): 0 done, 1 no/differs/found, 2 bad input, 3 a device or peer failed,
4 not allowed, 70 a bug of ours.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Final

import click

from fwguard import __version__
from fwguard.errors import FwguardError

# name -> (module, one line for --help); the module's click object is called `command`.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "read": ("fwguard.cli.read", "Read a firewall configuration and say what is in it."),
    "query": ("fwguard.cli.query", "Say what a configuration does with a packet, and which line decides."),
    "diff": ("fwguard.cli.diff", "Say what new connections two configurations pass differently."),
    "lint": ("fwguard.cli.lint", "Find rules that are shadowed, redundant, too wide or unread."),
    "what-if": ("fwguard.cli.what_if", "Say what an opening would really open."),
    "scan": ("fwguard.cli.scan", "Say what abuse is in packet captures, and which packets prove it."),
    "init": ("fwguard.cli.init", "Set up the database, the keys and the inventory."),
    "serve": ("fwguard.cli.serve", "Run the controller: portal, mail door, watchers and work."),
    "doctor": ("fwguard.cli.doctor", "Check settings, data folders, database and devices."),
    "login": ("fwguard.cli.login", "Get a personal token for this command line."),
    "user": ("fwguard.cli.user", "Add people."),
    "firewall": ("fwguard.cli.firewall", "List, read, approve, compare and restore client firewalls."),
    "request": ("fwguard.cli.request", "Ask for openings, decide on them, follow them."),
    "case": ("fwguard.cli.case", "List and show cases; isolate, suspend, release."),
    "address": ("fwguard.cli.address", "Give addresses, take them back, say who had one when."),
    "register": ("fwguard.cli.register", "The register of IRC, proxies and video chat."),
    "audit": ("fwguard.cli.audit", "List, prove and export the log."),
    "rules": ("fwguard.cli.rules", "Check the contract's controls, and preview a change of them."),
    "edge": ("fwguard.cli.edge", "What an edge enforces, and why."),
    "lab": ("fwguard.cli.lab", "A whole hosting platform on this machine."),
    "demo": ("fwguard.cli.demo", "The lab and its controller, with one command."),
    "bench": ("fwguard.cli.bench", "Measure."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when called: `fwguard read` never loads a database."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return [name for name, (module, _) in COMMANDS.items() if importlib.util.find_spec(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command, or None when there is none of that name."""
        if cmd_name not in COMMANDS or not importlib.util.find_spec(COMMANDS[cmd_name][0]):
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List names and one-liners without importing anything."""
        if rows := [(name, COMMANDS[name][1]) for name in self.list_commands(ctx)]:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fwguard")
def fwguard() -> None:
    """Make a cloud host's contract hold by itself.

    \b
    Offline, on files alone:   fwguard read|query|diff|lint|what-if FILE
    A platform to try it on:   fwguard demo
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code; an error is said in one line, a bug with its trace."""
    try:
        code = fwguard.main(args=arguments, prog_name="fwguard", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except FwguardError as error:
        print(f"fwguard: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception:
        traceback.print_exc()
        print("fwguard: this is a bug; please report the lines above", file=sys.stderr)
        sys.exit(70)
