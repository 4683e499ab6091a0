"""The script that is process 1 of a box."""

from __future__ import annotations

from pathlib import Path

from fwguard.lab.box import Box, File, common_etc, init_script


def _script(**more: object) -> list[str]:
    box = Box(
        host="fw-x",
        netns="fwg-t-fw-x",
        files={"/etc/motd": File(text="hi")},
        boot=("true one", "true two"),
        daemons=("sshd -D",),
        **more,  # type: ignore[arg-type]
    )
    return init_script(box, Path("/state/root"), Path("/state/etc")).splitlines()


def test_it_lets_go_of_other_namespaces_before_anything_else() -> None:
    """A copy of their mounts would keep them alive after their own end."""
    lines = _script()
    assert "umount -R -l /run/netns 2>/dev/null || :" == lines[1]


def test_it_boots_in_order_and_then_starts_its_daemons() -> None:
    """A step that fails ends the box: it runs under `set -e`."""
    lines = _script()
    assert "set -eu" == lines[0]
    order = [lines.index(line) for line in ("true one", "true two", "sshd -D &")]
    assert sorted(order) == order


def test_what_is_kept_is_read_only(tmp_path: Path) -> None:
    """A box must not write to this machine's files."""
    kept = Path("/var/cache/fwguard-lab/x")
    assert any(f"mount --bind -o ro {kept}" in line for line in _script(keep=(kept,)))


def test_the_common_etc_holds_no_secret_and_debians_own_iptables(tmp_path: Path) -> None:
    """Whatever this machine's users, keys and alternatives are."""
    common_etc(tmp_path / "etc")
    names = {path.name for path in (tmp_path / "etc").iterdir()}
    assert not names & {"shadow", "passwd", "ssh", "sudoers"}
    assert "/usr/sbin/iptables-nft" == str((tmp_path / "etc/alternatives/iptables").readlink())
