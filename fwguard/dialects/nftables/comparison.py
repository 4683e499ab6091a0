"""The right-hand side of a condition: a value, a set, bits under a mask, or what nobody can decide."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fwguard.dialects.nftables import conditions
from fwguard.dialects.nftables.conditions import ANYTHING, NEVER, cross, unknown
from fwguard.dialects.nftables.cursor import BINARY, OPERATORS, Cursor
from fwguard.dialects.nftables.selectors import Kind, Selector
from fwguard.dialects.nftables.values import NotUnderstood
from fwguard.model.matching import Region

# Words that begin a statement: a selector before them is compared with nothing.
NO_VALUE: Final = frozenset({
    "accept", "drop", "return", "continue", "jump", "goto", "dnat", "snat", "masquerade", "redirect", "counter",
    "log", "reject", "limit", "comment", "queue", "notrack",
})  # fmt: skip


class Comparer:
    """Takes what a selector is compared with, and returns where that holds."""

    def __init__(self, cursor: Cursor, memo: dict[tuple[str, ...], Region]) -> None:
        self.cursor = cursor
        self.memo = memo

    def right_side(self, selectors: list[Selector], operator: str, start: int) -> Region:
        cursor = self.cursor
        unknowable = all(one.kind is Kind.UNKNOWN for one in selectors)
        if unknowable and cursor.peek() not in ("{", "") and not cursor.peek().startswith("@"):
            return self.unknowable(selectors, start)
        found = cursor.set_at()
        if found is not None:
            named, elements = found
            words = cursor.words(start)
            if named is not None and named.is_volatile:
                base: Region = ANYTHING
                for selector in selectors:
                    base = cross(base, (selector.base,), words)
                return tuple(replace(one, unknown=words[:200]) for one in base)
            if named is not None:
                key = (cursor.table.family, cursor.table.name, words)
                if key not in self.memo:
                    keys = [element.key for element in elements]
                    self.memo[key] = conditions.lookup(selectors, keys, words, negated=operator == "!=")
                return self.memo[key]
            return conditions.lookup(
                selectors, [element.key for element in elements], words, negated=operator == "!="
            )
        if unknowable:
            return self.unknowable(selectors, start)
        if len(selectors) > 1:
            key_parts = [cursor.value()]
            while cursor.took("."):
                key_parts.append(cursor.value())
            return conditions.lookup(selectors, [key_parts], cursor.words(start), negated=operator == "!=")
        return self.scalar(selectors[0], operator, start)

    def unknowable(self, selectors: list[Selector], start: int) -> Region:
        cursor = self.cursor
        is_status = selectors[0].text == "ct status"  # whose values are words such as dnat
        if cursor.at < cursor.end and (is_status or cursor.peek() not in NO_VALUE):
            cursor.skip_expression()
            while cursor.peek() == "/":
                cursor.at += 1
                cursor.skip_expression()
        return unknown(selectors[0].base, cursor.words(start))

    def scalar(self, selector: Selector, operator: str, start: int) -> Region:
        cursor = self.cursor
        first = cursor.tokens[cursor.at].text if cursor.at < cursor.end else ""
        if not selector.is_mask:
            text = cursor.value()
            memo_key = (selector.text, operator, text)
            found = self.memo.get(memo_key)
            if found is None:
                found = self.memo[memo_key] = conditions.compare(
                    selector, operator, [text], cursor.words(start)
                )
            return found
        wanted = self.bit_list(selector)
        if cursor.took("/"):  # tcp flags syn / fin,syn,rst,ack
            mask = self.bit_list(selector)
            return conditions.compare_bits(selector, mask, wanted, equal=operator != "!=")
        if operator == "!":
            return conditions.compare_bits(selector, wanted, 0, equal=True)
        if operator == "":
            return conditions.compare_bits(selector, wanted, 0, equal=False)
        # nft compares the whole field with the "or" of the list: `ct state != established,related` is
        # true of every packet, since a packet has one state only.
        if operator not in ("==", "!="):
            raise NotUnderstood(f"{selector.text} {operator} {first[:40]}")
        return conditions.compare_bits(selector, 255, wanted, equal=operator == "==")

    def bit_list(self, selector: Selector) -> int:
        """Take `a`, `a,b`, `a | b` or `( a | b )`, and return the "or" of the bits; `0` is none."""
        cursor = self.cursor
        if cursor.peek() in ("0", "0x0"):
            cursor.at += 1
            return 0
        is_closed = cursor.took("(")
        value = conditions.bits(selector, cursor.take("a bit"))
        while cursor.peek() in ("|", ",", "or"):
            cursor.at += 1
            value |= conditions.bits(selector, cursor.take("a bit"))
        if is_closed and not cursor.took(")"):
            raise NotUnderstood("a ( without )")
        return value

    def masked(self, selector: Selector, start: int) -> Region:
        """Take `& mask == value` after a selector."""
        cursor = self.cursor
        if selector.is_mask and cursor.peek() in ("&", "and"):
            cursor.at += 1
            mask = self.bit_list(selector)
            operator = OPERATORS.get(cursor.peek(), "")
            cursor.at += 1 if operator else 0
            if operator in ("==", "!=", ""):
                if cursor.peek() == "{":
                    return self.masked_set(selector, mask, negated=operator == "!=")
                wanted = self.bit_list(selector)
                return conditions.compare_bits(selector, mask, wanted, equal=operator != "!=")
            raise NotUnderstood(f"{selector.text} {operator}")
        if selector.kind in (Kind.SOURCE, Kind.TARGET) and cursor.peek() in ("&", "and"):
            cursor.at += 1
            mask_text = cursor.value()
            operator = OPERATORS.get(cursor.peek(), "")
            cursor.at += 1 if operator else 0
            if cursor.peek() != "{" and not cursor.peek().startswith("@"):
                text = cursor.value()
                return conditions.masked_address(selector, mask_text, operator, text, cursor.words(start))
        else:
            while cursor.peek() in BINARY:
                cursor.at += 1
                cursor.skip_primary()
            if cursor.peek() in OPERATORS:
                cursor.at += 1
            if cursor.peek() == "vmap":
                raise NotUnderstood(f"a verdict map of {selector.text} under a mask")
        cursor.skip_expression()
        return unknown(selector.base, cursor.words(start))

    def masked_set(self, selector: Selector, mask: int, *, negated: bool) -> Region:
        found = self.cursor.set_at()
        assert found is not None  # noqa: S101 - the caller saw its brace
        wanted = {conditions.or_of(selector, element.key[0]) for element in found[1]}
        if selector.kind is Kind.TCP_FLAGS:
            return (selector.base,) if ((conditions.SYN & mask) in wanted) is not negated else NEVER
        raise NotUnderstood(f"{selector.text} under a mask in a set")
