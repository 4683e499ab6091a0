"""Every platform with a command line of its own: how it is read, changed, confirmed and saved. One literal table.

`tried` says on what a row has been used; a row without it is written from the vendor's documents alone, and
its commands are compared with them by golden files, not by a device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.model.inventory import Platform


class Entry(StrEnum):
    """How a state becomes lines to enter."""

    INDENTED = "indented"  # what differs, by `no` and by line: indented.py


class Deadline(StrEnum):
    """Who undoes a write that nobody confirms."""

    DEVICE = "device"  # the device itself, by its own timer, without a restart
    REBOOT = "reboot"  # the device itself, by starting again from what it last saved
    OURS = "ours"  # we, by the pre-image, while this process lives; after that the next look


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """One platform. In commands, `{minutes}`, `{seconds}` and `{id}` stand for the deadline and the warrant.

    `running` and `startup` are commands that print a configuration; `startup_file` is read by SFTP where no
    command prints it; with neither, what runs is what starts. `enter`, then the lines, then `commit`;
    `confirm` makes it final and saves; `undo` is what a device with a deadline of its own is told instead.
    `chatter` are whole lines that are printed but are no configuration, `complaint` the start of an answer
    that refuses a line.
    """

    device_type: str  # netmiko's
    language: str  # the dialect that compares its texts
    running: str
    startup: str = ""
    startup_file: str = ""
    entry: Entry
    enter: tuple[str, ...]
    commit: tuple[str, ...]
    confirm: tuple[str, ...]
    undo: tuple[str, ...] = ()
    deadline: Deadline
    leave: tuple[str, ...]  # after a line was refused: what is not committed is given up
    comment: str
    chatter: re.Pattern[str]
    complaint: re.Pattern[str]
    tried: str = ""


COMMAND_LINES: Final[Mapping[Platform, CommandLine]] = {
    # FRR user guide, "VTY shell": `write memory` writes the integrated configuration, which no command prints.
    # There is no lock and no timer: what somebody else enters meanwhile is seen when the write is read back.
    Platform.FRR: CommandLine(
        device_type="cisco_ios",
        language="frr",
        running="show running-config",
        startup_file="/etc/frr/frr.conf",
        entry=Entry.INDENTED,
        enter=("configure terminal",),
        commit=("end",),
        confirm=("write memory",),
        leave=("end",),
        deadline=Deadline.OURS,
        comment="!",
        chatter=re.compile(r"Building configuration\.*|Current configuration:|frr version .*"),
        complaint=re.compile(r"^%", re.MULTILINE),
        tried="FRR 8.4.4 of Debian 12, over sshd",
    ),
}
