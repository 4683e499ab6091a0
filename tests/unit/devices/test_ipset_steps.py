"""Sets, from one text of `ipset save` to another."""

from __future__ import annotations

from fwguard.devices.ipset_steps import set_steps

WEB = "create web hash:ip family inet maxelem 65536\n"


def test_a_set_in_use_is_filled_beside_and_swapped_in() -> None:
    """No packet meets it half filled."""
    steps = set_steps(WEB + "add web 10.0.0.1\n", WEB + "add web 10.0.0.2\n")
    assert (
        WEB
        + WEB.replace("web", "fwguard-0")
        + "flush fwguard-0\nadd fwguard-0 10.0.0.2\nswap fwguard-0 web\ndestroy fwguard-0\n"
        == steps.before_rules
    )
    assert ("", "", "") == (steps.retyped, steps.after_retyping, steps.unwanted)


def test_a_new_set_comes_before_the_rules_and_an_old_one_goes_after_them() -> None:
    """Lists of sets go first: their members are in use until then."""
    steps = set_steps(
        WEB + "create all list:set size 8\nadd all web\n", "create new hash:net\nadd new 10.0.0.0/8\n"
    )
    assert "create new hash:net\nflush new\nadd new 10.0.0.0/8\n" == steps.before_rules
    assert "all\nweb\n" == steps.unwanted


def test_a_set_of_another_type_is_made_again_between() -> None:
    """It can be swapped with none."""
    wanted = "create web hash:net family inet\nadd web 10.0.0.0/8\n"
    steps = set_steps(WEB, wanted)
    assert ("", "web\n", wanted) == (steps.before_rules, steps.retyped, steps.after_retyping)


def test_equal_texts_need_nothing() -> None:
    """Nothing is touched that is as wanted."""
    steps = set_steps(WEB, WEB)
    assert ("", "", "", "") == (steps.before_rules, steps.retyped, steps.after_retyping, steps.unwanted)
