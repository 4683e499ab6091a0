"""Every platform with a command line of its own: how it is read, changed, confirmed and saved. One literal table.

`tried` says on what a row has been used. A row where it is empty is written from the vendor's documents alone:
what it would enter is compared with them by golden files, and it has met no device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.model.inventory import Platform

BACK: Final = "{back}"  # in `undo`: the lines from what the device holds to what it held before


class Entry(StrEnum):
    """How a state becomes lines to enter."""

    INDENTED = "indented"  # by line and `no` (indented.py)
    IOS = "ios"  # the same, with lists in their order (lists.py)
    ASA = "asa"
    VYOS = "vyos"  # delete and set (paths.py)
    PANOS = "panos"
    FORTIOS = "fortios"  # config, edit, set (sections.py)
    WHOLE = "whole"  # the text itself, replaced whole


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
    `confirm` makes it final and saves; `undo` takes it back. With `candidate` nothing acts before `commit`.
    `leave` gives up what is not committed after a line was refused.

    `chatter` are whole lines that are printed but are no configuration; `hidden` is what stands where our user
    may not see something; `complaint` an answer that refuses a line; to a question that ends with `asks` the
    device is told `answer`. `needs` is what the running configuration must hold to be written, and why.
    `silenced` are steps of netmiko's driver that would change the configuration or ask for a password.
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
    undo: tuple[str, ...] = (BACK,)
    leave: tuple[str, ...]
    candidate: bool = False
    deadline: Deadline
    patience_s: float = 0.0  # how much longer than a listing a line may take
    comment: str
    chatter: re.Pattern[str]
    complaint: re.Pattern[str]
    hidden: re.Pattern[str] | None = None
    asks: re.Pattern[str] | None = None
    answer: str = ""
    needs: tuple[re.Pattern[str], str] | None = None
    silenced: tuple[str, ...] = ()
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
    # Cisco IOS Configuration Fundamentals, "Configuration Rollback Confirmed Change" (12.2(33)SRC, 12.4(23)T and
    # later): `configure terminal revert timer`, `configure confirm`, `configure revert now`; needs an archive.
    Platform.IOS: CommandLine(
        device_type="cisco_ios",
        language="ios",
        running="show running-config",
        startup="show startup-config",
        entry=Entry.IOS,
        enter=("configure terminal revert timer {minutes}",),
        commit=("end",),
        confirm=("configure confirm", "write memory"),
        undo=("configure revert now",),
        leave=("end",),
        deadline=Deadline.DEVICE,
        patience_s=60,
        comment="!",
        chatter=re.compile(
            r"Building configuration\.*|Current configuration ?: .*|Using \d+ out of .*|! Last configuration .*|"
            r"! NVRAM config .*|ntp clock-period .*"
        ),
        complaint=re.compile(r"^ *%(?! Rollback confirmed| *Warning)|^Error", re.MULTILINE | re.IGNORECASE),
        needs=(
            re.compile(r"^archive\n(?: .*\n)*? path ", re.MULTILINE),
            "it has no archive to go back to: `archive` / `path flash:fwguard` (Configuration Rollback)",
        ),
    ),
    # Cisco ASA Series Command Reference: `reload in … noconfirm`, `reload cancel`, `write memory`. An ASA has no
    # way back of its own but to start again from what it saved, which cuts everybody off for that time.
    # Our user must come in at privilege 15 (`aaa authorization exec LOCAL auto-enable`).
    Platform.ASA: CommandLine(
        device_type="cisco_asa",
        language="asa",
        running="show running-config",
        startup="show startup-config",
        entry=Entry.ASA,
        enter=("reload in {minutes} noconfirm", "configure terminal"),
        commit=("end",),
        confirm=("write memory", "reload cancel"),
        undo=("configure terminal", BACK, "end", "reload cancel"),
        leave=("end",),
        deadline=Deadline.REBOOT,
        patience_s=60,
        comment="!",
        chatter=re.compile(
            r": (?:Saved|end|Written by .*)?|:|Cryptochecksum:.*|: Hardware: .*|: Serial Number.*"
        ),
        complaint=re.compile(r"^(?:ERROR|%)|^ *\^", re.MULTILINE),
        silenced=("asa_login",),
    ),
    # FortiOS Administration Guide, "Using configuration save mode", and CLI reference, `system global`: with
    # `cfg-save revert` what is not saved within `cfg-revert-timeout` is undone by a restart. The mode is part of
    # the configuration, so it is for the owner to set, and the timeout is the one that stands there.
    Platform.FORTIOS: CommandLine(
        device_type="fortinet",
        language="fortios",
        running="show",
        entry=Entry.FORTIOS,
        enter=(),
        commit=(),
        confirm=("execute cfg save",),
        undo=(BACK, "execute cfg save"),
        leave=("abort", "end"),
        deadline=Deadline.REBOOT,
        patience_s=30,
        comment="#",
        chatter=re.compile(r"#.*"),
        complaint=re.compile(
            r"^Command fail|^command parse error|^Unknown action|: entry not found", re.MULTILINE
        ),
        asks=re.compile(r"--More--\s*\Z"),
        answer=" ",
        needs=(
            re.compile(r"^\s+set cfg-save revert$", re.MULTILINE),
            "it saves at once and can take nothing back: `config system global` / `set cfg-save revert`",
        ),
        silenced=("disable_paging",),
    ),
    # VyOS documentation, "Command Line Interface" (docs/cli.rst): commit-confirm restarts the system unless
    # `confirm` comes in time; a further commit is allowed meanwhile (vyos-1x, python/vyos/config_mgmt.py).
    Platform.VYOS: CommandLine(
        device_type="vyos",
        language="vyos",
        running="show configuration commands | no-more",
        startup="cat /config/config.boot",
        entry=Entry.VYOS,
        enter=("configure",),
        commit=("commit-confirm {minutes}", "exit"),
        confirm=("configure", "confirm", "save", "exit"),
        undo=("configure", BACK, "commit", "confirm", "exit"),
        leave=("exit discard",),
        candidate=True,
        deadline=Deadline.REBOOT,
        patience_s=120,
        comment="#",
        chatter=re.compile(r""),
        complaint=re.compile(
            r"(?:Set|Delete|Commit) failed|is not valid|Nothing to delete|Invalid command|No confirm pending|"
            r"Another confirm"
        ),
        asks=re.compile(r"(?:Proceed ?\?|\[confirm\])[^\n]*\Z"),
        answer="y\n",
    ),
    # Junos CLI User Guide: `load override terminal` ends with Ctrl-D; `commit confirmed` takes minutes and is
    # confirmed by `commit`; `rollback 1` is what was committed before. What is committed is what starts.
    Platform.JUNOS: CommandLine(
        device_type="juniper_junos",
        language="junos",
        running="show configuration | no-more",
        entry=Entry.WHOLE,
        enter=("configure exclusive", "load override terminal"),
        commit=("commit confirmed {minutes}", "exit configuration-mode"),
        confirm=("configure exclusive", "commit", "exit configuration-mode"),
        undo=("configure exclusive", "rollback 1", "commit", "exit configuration-mode"),
        leave=("rollback 0", "exit configuration-mode"),
        candidate=True,
        deadline=Deadline.DEVICE,
        patience_s=180,
        comment="#",
        chatter=re.compile(r"## Last (?:commit|changed): .*|\{(?:primary|secondary|master|backup)[^}]*\}"),
        complaint=re.compile(
            r"^(?:error|syntax error|unknown command|\s+\^)|^load complete \(\d+ errors?\)", re.MULTILINE
        ),
        hidden=re.compile(r"/\* SECRET-DATA \*/"),
    ),
    # PAN-OS CLI Quick Start and "Configure CLI Command Hierarchy" (10.0): `save config to`, `load config from`,
    # `check pending-changes`, `revert config`, `commit`. There is no confirmed commit: the pre-image is kept on
    # the firewall under the warrant's name, and going back is ours. What is committed is what starts.
    Platform.PANOS: CommandLine(
        device_type="paloalto_panos",
        language="panos",
        running="show config running",
        entry=Entry.PANOS,
        enter=("configure", "check pending-changes", "save config to fwguard-{id}.xml"),
        commit=("commit", "exit"),
        confirm=(),
        undo=("configure", "load config from fwguard-{id}.xml", "commit", "exit"),
        leave=("revert config", "exit"),
        candidate=True,
        deadline=Deadline.OURS,
        patience_s=300,
        comment="#",
        chatter=re.compile(r""),
        complaint=re.compile(
            # `yes` to pending changes: a commit of ours would make somebody's unfinished work run.
            r"^\s*yes\s*$|Invalid syntax|Unknown command|Validation Error|Server error|Commit failed|^\s*error",
            re.MULTILINE | re.IGNORECASE,
        ),
    ),
}
