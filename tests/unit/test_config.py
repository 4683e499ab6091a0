"""Settings come from the file, then from the environment; what is wrong is named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fwguard.config import (
    SecretKeys,
    Settings,
    find_folder,
    load_settings,
    make_secret_key,
    rotate_secret_key,
)
from fwguard.errors import InputError


def _load(tmp_path: Path, text: str, **environment: str) -> Settings:
    path = tmp_path / "fwguard.yaml"
    path.write_text(text)
    return load_settings(path, environment)


def test_defaults_follow_the_state_directory(tmp_path: Path) -> None:
    """Database and key file stand in it unless told otherwise."""
    settings = _load(tmp_path, "state_dir: /srv/fw\n")
    assert ("sqlite:////srv/fw/fwguard.sqlite", Path("/srv/fw/secret.key")) == (
        settings.database_url, settings.secret_key_file,
    )  # fmt: skip
    assert (30, 60, 60, 600) == (
        settings.poll_s, settings.confirm_s, settings.restore_cap, settings.restore_cap_s,
    )  # fmt: skip


def test_the_environment_comes_last(tmp_path: Path) -> None:
    """And an empty variable is none."""
    settings = _load(
        tmp_path, "poll_s: 10\nconfirm_s: 20\nlanguages: [fr]\n", FWGUARD_POLL_S="5", FWGUARD_CONFIRM_S=""
    )
    assert (5, 20, ("fr",)) == (settings.poll_s, settings.confirm_s, settings.languages)


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    """A named file must exist."""
    path = tmp_path / "other.yaml"
    path.write_text("listen_port: 81")
    assert 81 == load_settings(environment={"FWGUARD_CONFIG": str(path)}).listen_port
    with pytest.raises(InputError, match="missing.yaml"):
        load_settings(environment={"FWGUARD_CONFIG": str(tmp_path / "missing.yaml")})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("poll_s: 10\npol_s: 3", "fwguard.yaml:2: pol_s: is no setting"),
        (
            "\nlisten_port: 70000",
            "fwguard.yaml:2: listen_port: 70000 is out of bounds (expected a whole number",
        ),
        ("poll_s: soon", "fwguard.yaml:1: poll_s: 'soon' is no number"),
        ("poll_s: 1\npoll_s: 2", "fwguard.yaml:2: poll_s: stands twice"),
        ("poll_s: {a: 1}", "fwguard.yaml:1: poll_s: is a mapping"),
        ("- a", "fwguard.yaml:1: is no mapping"),
        ("a: [", "fwguard.yaml:1"),
        ("a: \x00", "fwguard.yaml"),
        ("languages: [de]", "language 'de'"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, says: str) -> None:
    """File, line, key and what was expected."""
    with pytest.raises(InputError) as caught:
        _load(tmp_path, text)
    assert says in str(caught.value)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    """By its own name."""
    with pytest.raises(InputError, match=r"\$FWGUARD_POLL_S: 'x' is no number"):
        _load(tmp_path, "", FWGUARD_POLL_S="x")


def test_a_file_that_is_too_big_is_not_parsed(tmp_path: Path) -> None:
    """Nor is one that is nested without end."""
    for text in ("#" * (1 << 19), "[" * 5000):
        with pytest.raises(InputError):
            _load(tmp_path, text)


def test_folders_are_found_in_order(tmp_path: Path) -> None:
    """$FWGUARD_HOME first, the checkout last."""
    (tmp_path / "rules").mkdir()
    assert tmp_path / "rules" == find_folder("rules", {"FWGUARD_HOME": str(tmp_path)})
    assert (find_folder("approvals", {"FWGUARD_HOME": str(tmp_path)}) / "policy.yaml").is_file()
    with pytest.raises(InputError, match="no folder nowhere/"):
        find_folder("nowhere", {})
    assert find_folder("rules", {}) == Settings().rules


def test_a_key_file_is_made_once_for_its_owner(tmp_path: Path) -> None:
    """And is never written over."""
    path = tmp_path / "new" / "secret.key"
    assert make_secret_key(path)
    before = path.read_text()
    assert not make_secret_key(path)
    assert (before, 0o600) == (path.read_text(), stat.S_IMODE(path.stat().st_mode))


def test_keys_differ_by_purpose_and_key(tmp_path: Path) -> None:
    """A rotated file keeps the old one; nothing shows in the repr."""
    path = tmp_path / "secret.key"
    make_secret_key(path)
    old = SecretKeys.read(path)
    rotate_secret_key(path)
    new = SecretKeys.read(path)
    assert [new.newest, old.newest] == list(new.derive_all("a"))
    assert old.derive("a") == new.derive_all("a")[old.newest]
    assert 4 == len({old.derive("a"), old.derive("b"), new.derive("a"), new.derive("b")})
    assert old.derive("a").hex() not in repr(new)
    assert path.read_text().split(":")[1].split("\n")[0] not in repr(new)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("body", ["", "a:b\n", "a:\n", "é", ":" + "A" * 44])
def test_a_bad_key_file_is_refused(tmp_path: Path, body: str) -> None:
    """With its name and what makes a good one."""
    path = tmp_path / "secret.key"
    path.write_text(body)
    path.chmod(0o600)
    with pytest.raises(InputError, match=r"secret\.key"):
        SecretKeys.read(path)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """And one that is not there."""
    path = tmp_path / "secret.key"
    with pytest.raises(InputError, match="fwguard init"):
        SecretKeys.read(path)
    make_secret_key(path)
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        SecretKeys.read(path)
