"""What a boot loads: the last good state with its cuts, or nothing passes. Each test boots an edge of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from edge_site import CLOSED_PORT, OPEN_PORT, Site, site_state

from fwguard.kernel.namespaces import inside

pytestmark = pytest.mark.integration


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Build a site whose agent got one state and was killed, and whose kernel then forgot everything."""
    with Site(tmp_path) as made, made.web():
        made.begin()
        made.peer.publish(site_state(1))
        made.start()
        made.peer.wait_applied((1, 1))
        made.kill()
        made.peer.stop()
        made.nft("flush", "ruleset")
        assert made.connects(4, CLOSED_PORT)
        yield made


def test_the_last_good_state_is_loaded_without_a_controller(site: Site) -> None:
    """v4 and v6, and again when it is there already."""
    for _ in range(2):
        done = site.fwguard("load", "--json")
        assert (0, {"epoch": 1, "generation": 1, "why": ""}) == (done.returncode, json.loads(done.stdout))
        for version in (4, 6):
            assert site.connects(version, OPEN_PORT) and not site.connects(version, CLOSED_PORT)


@pytest.mark.parametrize("damage", ["torn", "altered", "gone"])
def test_without_a_whole_state_nothing_passes(site: Site, damage: str) -> None:
    """Closed, not open; and the error says what is wrong with the file."""
    path = site.state_dir / "state.json"
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-100] if damage == "torn" else data.replace(b'"state": "', b'"state": "A'))
    done = site.fwguard("load")
    assert 1 == done.returncode and "nothing is forwarded" in done.stderr
    for version in (4, 6):
        assert not site.connects(version, OPEN_PORT)


def test_a_broken_file_takes_nothing_from_a_kernel_that_enforces(site: Site) -> None:
    """With tables of ours there already, what they hold stays."""
    assert 0 == site.fwguard("load").returncode
    (site.state_dir / "state.json").unlink()
    assert 1 == site.fwguard("load").returncode
    assert site.connects(4, OPEN_PORT) and not site.connects(4, CLOSED_PORT)


def test_what_a_crash_left_between_disk_and_kernel_is_tried(site: Site) -> None:
    """A newer state that was on disk and not yet in the kernel goes into force, and is then the good one."""
    site.peer.listen(lambda work: inside(site.edge, work))
    site.peer.publish(site_state(2, opened=(OPEN_PORT, CLOSED_PORT)))
    site.start()
    site.peer.wait_applied((1, 2))
    site.kill()
    (site.state_dir / "state.json").rename(site.state_dir / "state.next.json")
    site.nft("flush", "ruleset")
    done = site.fwguard("load", "--json")
    assert 2 == json.loads(done.stdout)["generation"] and site.connects(4, CLOSED_PORT)
    assert (site.state_dir / "state.json").exists() and not (site.state_dir / "state.next.json").exists()


def test_where_the_kernel_takes_nothing_forwarding_is_off(site: Site) -> None:
    """Without nft no ruleset can be read: exit 3, and the host forwards nothing."""
    command = [
        str(shutil.which("ip")),
        "netns",
        "exec",
        site.edge,
        sys.executable,
        "-m",
        "fwguard",
        "edge",
        "load",
    ]
    done = subprocess.run(
        [*command, "--config", str(site.config)], capture_output=True, text=True, timeout=60,
        env={"PATH": "/nowhere", "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert 3 == done.returncode, done.stderr
    assert not site.connects(4, OPEN_PORT) and not site.connects(6, OPEN_PORT)
