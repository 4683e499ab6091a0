"""Every command of the table is there, helps with an example, and loads no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from fwguard.cli import COMMANDS, fwguard


def commands() -> Iterator[tuple[str, click.Command]]:
    """Walk every command and subcommand by its whole name."""
    context = click.Context(fwguard)
    for name in fwguard.list_commands(context):
        command = fwguard.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for part in command.list_commands(context):
                inner = command.get_command(context, part)
                assert inner is not None
                yield f"{name} {part}", inner


def test_every_entry_of_the_table_has_its_module() -> None:
    """A name that leads nowhere would be missing from --help without a word."""
    assert list(COMMANDS) == fwguard.list_commands(click.Context(fwguard))


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_help_shows_an_example(name: str, command: click.Command) -> None:
    """So that nobody has to guess how to begin."""
    with click.Context(command, info_name=f"fwguard {name}") as context:
        assert "Example" in command.get_help(context)


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["nonsense"], 2), (["read"], 2), (["read", "/does/not/exist"], 2), (["--version"], 0), (["--help"], 0)],
)
def test_exit_codes_are_those_of_the_contract(argv: list[str], code: int) -> None:
    """0 done, 2 bad input; an error is one line without a trace."""
    done = subprocess.run(
        [sys.executable, "-m", "fwguard", *argv], capture_output=True, text=True, check=False
    )
    assert code == done.returncode
    assert "Traceback" not in done.stderr


def test_offline_commands_load_no_database_and_no_network() -> None:
    """They start fast, and run where nothing is set up."""
    text = (
        "import sys, fwguard.cli.read, fwguard.cli.query, fwguard.cli.diff, fwguard.cli.lint, fwguard.cli.what_if;"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'sqlalchemy', 'flask', 'paramiko', 'ncclient', 'netmiko', 'scapy'}))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_command_over_the_store_says_that_nobody_is_logged_in(tmp_path: object) -> None:
    """Exit 4 or 2 with what to do, never a trace."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FWGUARD_STATE_DIR": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-m", "fwguard", "init"], env=environment, capture_output=True, check=True
    )
    done = subprocess.run(
        [sys.executable, "-m", "fwguard", "firewall", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "fwguard login" in done.stderr) == (4, True)
