"""The mail door's configuration and mailboxes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fwguard.errors import InputError
from fwguard.lab.mail_door import exim_conf, mailboxes, messages


def test_no_mark_of_the_template_is_left() -> None:
    """Every @NAME@ has its value."""
    assert "@" not in exim_conf(("a.example",)).replace("$local_part@$domain", "")


def test_mails_are_read_oldest_first(tmp_path: Path) -> None:
    """By the time of delivery."""
    new = tmp_path / "a@b.example" / "new"
    new.mkdir(parents=True)
    for number, name in enumerate(("z", "a")):
        (new / name).write_text(f"Subject: {number}\n\nx\n")
        os.utime(new / name, (1000 + number, 1000 + number))
    assert ["0", "1"] == [mail["Subject"] for mail in messages(tmp_path, "A@b.example")]
    assert ["a@b.example"] == mailboxes(tmp_path)


def test_an_empty_mailbox_is_no_error(tmp_path: Path) -> None:
    """Nobody wrote yet."""
    assert [] == messages(tmp_path, "a@b.example")


@pytest.mark.parametrize("address", ["nobody", "../x@y", "a/b@c", ".x@y"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    """It would become a path."""
    with pytest.raises(InputError):
        messages(tmp_path, address)
