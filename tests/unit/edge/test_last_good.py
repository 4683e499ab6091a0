"""What may be enforced: signed, for this edge, whole, never older; and what is on disk survives."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_states import large_state

from fwguard.edge.identity import Identity, open_identity, pin_controller
from fwguard.edge.last_good import GOOD_FILE, NEXT_FILE, LastGood, accept
from fwguard.errors import ConflictError, InputError
from fwguard.model.edge import EdgeState
from fwguard.model.edge_json import canonical_bytes
from fwguard.model.edge_wire import state_bytes

KEY = Ed25519PrivateKey.generate()


def _identity(folder: Path) -> Identity:
    open_identity(folder, "edge1")
    pin_controller(folder, base64.b64encode(KEY.public_key().public_bytes_raw()).decode())
    return open_identity(folder, "edge1")


def _signed(state: EdgeState, key: Ed25519PrivateKey = KEY, edge: str = "edge1") -> tuple[bytes, str]:
    data = canonical_bytes(state)
    return data, base64.b64encode(key.sign(state_bytes(edge, data))).decode()


STATE = large_state(8, 1)


def test_a_signed_state_is_accepted(tmp_path: Path) -> None:
    """The controller's signature over the canonical bytes for this edge."""
    assert accept(*_signed(STATE), _identity(tmp_path), newest=None).state == STATE


@pytest.mark.parametrize(
    ("data", "signature", "why"),
    [
        (*_signed(STATE, Ed25519PrivateKey.generate()), "signature"),
        (*_signed(STATE, edge="edge2"), "signature"),
        (canonical_bytes(STATE), "", "signature"),
        (canonical_bytes(STATE), "no base64!", "signature"),
        (*_signed(replace(STATE, edge="edge2")), "it is for edge2"),
        (canonical_bytes(STATE)[:-1] + b" }", _signed(STATE)[1], "signature"),
        (b"[]", base64.b64encode(KEY.sign(state_bytes("edge1", b"[]"))).decode(), "expected"),
    ],
    ids=["other-key", "for-another", "unsigned", "no-base64", "names-another", "altered", "no-state"],
)
def test_anything_else_is_refused(tmp_path: Path, data: bytes, signature: str, why: str) -> None:
    """Each refusal says why."""
    with pytest.raises(InputError, match=why):
        accept(data, signature, _identity(tmp_path), newest=None)


@pytest.mark.parametrize(("epoch", "generation", "is_taken"), [
    (1, 4, False), (0, 99, False), (1, 5, True), (1, 6, True), (2, 0, True),
])  # fmt: skip
def test_epoch_and_generation_never_fall(tmp_path: Path, epoch: int, generation: int, is_taken: bool) -> None:
    """Compared as a pair: a new epoch may begin anew."""
    signed = _signed(replace(STATE, epoch=epoch, generation=generation))
    try:
        accept(*signed, _identity(tmp_path), newest=(1, 5))
    except InputError:
        assert not is_taken
    else:
        assert is_taken


def test_proposed_then_confirmed_is_the_good_one(tmp_path: Path) -> None:
    """A crash before the confirmation leaves both: the old good one, and the one to try."""
    identity = _identity(tmp_path)
    files = LastGood(tmp_path, identity)
    old, new = (accept(*_signed(replace(STATE, generation=n)), identity, newest=None) for n in (1, 2))
    files.propose(old)
    files.confirm()
    files.propose(new)
    again = LastGood(tmp_path, identity)
    assert (old, new) == (again.read(), again.read_next(old.version))
    again.confirm()
    assert new == again.read() and again.read_next(new.version) is None


def test_a_broken_file_is_named_and_a_broken_proposal_is_none(tmp_path: Path) -> None:
    """Torn, altered or another's: never enforced."""
    identity = _identity(tmp_path)
    files = LastGood(tmp_path, identity)
    files.propose(accept(*_signed(STATE), identity, newest=None))
    whole = (tmp_path / NEXT_FILE).read_bytes()
    (tmp_path / GOOD_FILE).write_bytes(whole[:-20])
    (tmp_path / NEXT_FILE).write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"state\.json"):
        files.read()
    assert files.read_next(None) is None


def test_the_key_is_ours_alone(tmp_path: Path) -> None:
    """Mode 0600, kept over starts; one that others may read is refused."""
    first = open_identity(tmp_path, "edge1")
    assert 0o600 == (tmp_path / "edge.key").stat().st_mode & 0o777
    assert first.public_key == open_identity(tmp_path, "edge1").public_key
    (tmp_path / "edge.key").chmod(0o644)
    with pytest.raises(InputError, match="others may read it"):
        open_identity(tmp_path, "edge1")


def test_another_controller_is_not_pinned_over_the_first(tmp_path: Path) -> None:
    """Whoever answers later with another key changes nothing."""
    _identity(tmp_path)
    other = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    with pytest.raises(ConflictError, match="another controller is pinned"):
        pin_controller(tmp_path, other)
