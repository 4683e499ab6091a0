"""Cuts made on the spot last until a release names them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fwguard.edge.ledger import Ledger, LocalCut
from fwguard.errors import InputError


def _cut(number: int) -> LocalCut:
    return LocalCut(
        id=f"verdict-{number:04d}", port=number, clause="7.5", reason="registration", at_us=number,
        elements=(("inet", "cut_local_service", (f"srv{number}", 6, 6667)),),
    )  # fmt: skip


def test_cuts_are_there_after_a_restart(tmp_path: Path) -> None:
    """What was written down is read, and what was released is not."""
    ledger = Ledger(tmp_path)
    for number in range(3):
        ledger.add(_cut(number))
    assert _cut(1) == ledger.release("verdict-0001")
    again = Ledger(tmp_path)
    assert (_cut(0), _cut(2)) == again.cuts()
    assert again.holds(_cut(2).elements[0]) and not again.holds(_cut(1).elements[0])


def test_a_release_of_nothing_changes_nothing(tmp_path: Path) -> None:
    """An unknown name is no error."""
    assert Ledger(tmp_path).release("verdict-9999") is None


def test_a_torn_release_leaves_the_cut(tmp_path: Path) -> None:
    """A crash while a release is written leaves it cut: closed, not open."""
    ledger = Ledger(tmp_path)
    ledger.add(_cut(1))
    ledger.release("verdict-0001")
    path = tmp_path / "cuts.log"
    path.write_bytes(path.read_bytes()[:-3])
    assert (_cut(1),) == Ledger(tmp_path).cuts()


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    """A whole line with another content is nobody's doing but a person's: it is named, not skipped."""
    from fwguard.edge.journal import Journal

    Journal(tmp_path / "cuts.log").append([(1, b"[]")])
    with pytest.raises(InputError, match=r"cuts\.log"):
        Ledger(tmp_path)


def test_many_releases_are_compacted(tmp_path: Path) -> None:
    """The file does not grow with what is over."""
    ledger = Ledger(tmp_path)
    ledger.add(_cut(0))
    for number in range(1, 700):
        ledger.add(_cut(number))
        ledger.release(_cut(number).id)
    assert (tmp_path / "cuts.log").stat().st_size < 150_000
    assert (_cut(0),) == Ledger(tmp_path).cuts()


@pytest.mark.integration
def test_on_a_full_disk_the_reserve_takes_the_cuts(tmp_path: Path) -> None:
    """With no room at all a cut is still written down, in what was set aside for it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True, timeout=10)
    try:
        ledger = Ledger(folder / "cuts")
        with pytest.raises(OSError), (folder / "fill").open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        for number in range(20):
            ledger.add(_cut(number))
        assert 20 == len(Ledger(folder / "cuts").cuts())
        ledger.close()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)
