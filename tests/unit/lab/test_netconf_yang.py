"""What is changed in a YANG module so that netconfd reads it, and nothing else."""

from __future__ import annotations

from fwguard.lab.netconf_yang import SERVED, modules, patched


def test_two_features_that_must_hold_are_two_statements() -> None:
    """RFC 7950 section 7.20.2 in the words of YANG 1."""
    assert "  if-feature a;\n  if-feature b;" == patched('  if-feature "a and b";')


def test_one_of_several_features_and_the_unknown_function_go() -> None:
    """The node is there always."""
    text = """leaf x {
  if-feature "a "
    + "or b";
  when "derived-from-or-self(/t, "
     + "'x:y')";
  when "derived-from-or-self(/t, 'x:y')" {
    description "only there";
  }
  type string; }"""
    assert "leaf x { type string; }" == " ".join(patched(text).split())


def test_all_other_text_stays() -> None:
    """Single features, other conditions, words in descriptions."""
    text = 'if-feature "a";\nwhen "../b = \'c\'";\ndescription "if-feature or when";\nif-feature a;\n'
    assert text.replace('"a"', "a") == patched(text)


def test_the_modules_that_are_served_are_there() -> None:
    """pyang's wheel holds them, patched here without the function that netconfd lacks."""
    found = modules()
    assert set() == {f"{name}.yang" for name in SERVED[1:]} - set(found)
    assert not any('when "derived-from-or-self' in text for text in found.values())
