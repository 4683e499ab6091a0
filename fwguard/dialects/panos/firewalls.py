"""Which firewalls a configuration speaks of: virtual systems of one device, or device groups of Panorama.

Rules come in the order of the device: shared before its own, those of the groups above before those of
the group, then the firewall's own, then the same backwards. Source: Panorama Administrator's Guide (device
group policies), PAN-OS Virtual Systems documentation (external zones, shared gateways).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.objects import Objects
from fwguard.dialects.unread import Notes
from fwguard.model.policy import ANY_INTERFACE, InterfaceSet

ANY: Final = "any"
MAX_PARENTS: Final = 32
LAYERS: Final = ("layer3", "virtual-wire", "layer2", "tap", "tunnel", "external")


@dataclass(slots=True, eq=False)
class Base:
    """One rule base: where it stands, and how names in it are looked up."""

    node: Node
    objects: Objects
    where: str
    is_own: bool = False

    def rules(self, kind: str) -> list[Node]:
        """Return the rules of a kind that are switched on, in order."""
        found = self.node.below(kind, "rules")
        return [rule for rule in found if rule.value("disabled") != "yes" and rule.children]


@dataclass(slots=True, eq=False)
class Firewall:
    """Zones by the name that the model uses; `beyond` are those of others, by external zone."""

    name: str
    zones: dict[str, str] = field(default_factory=dict)  # as written -> as the model calls it
    beyond: dict[str, list[str]] = field(default_factory=dict)
    bases: list[Base] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)  # zone of the model -> interfaces
    alone: bool = True

    def names(self) -> list[str]:
        """Return its own zones."""
        return list(dict.fromkeys(self.zones.values()))

    def zone_set(self, words: list[str]) -> InterfaceSet:
        """Return what the zones of a rule mean."""
        if ANY in words:
            if self.alone:
                return ANY_INTERFACE
            return InterfaceSet.of(*self.names(), *(one for ones in self.beyond.values() for one in ones))
        names: list[str] = []
        for word in words:
            names += self.beyond[word] if word in self.beyond else [self.zones.get(word, word)]
        return InterfaceSet.of(*names)


class Firewalls:
    """Finds the firewalls; `choices`: only one of them is the device that is asked about."""

    def __init__(self, root: Node, notes: Notes) -> None:
        self.root = root
        self.notes = notes
        self.shared = root.at("shared") or Node("shared")
        self.pushed = root.at("policy", "panorama") or Node("panorama")
        groups = root.below("device-group")
        systems = [node for node in root.below("vsys") if _speaks(node)]
        self.choices = bool(groups)
        self._looked_up: dict[tuple[int, ...], Objects] = {}
        self.found: list[Firewall] = []
        if groups:
            above = self._parents()
            parents = {name for chain in above.values() for name in chain}
            for group in groups:
                if group.at("devices") is not None or group.word not in parents:
                    self.found.append(self._group(group, above.get(group.word, [])))
            systems = [node for node in systems if node.at("rulebase") is not None]
        self.found += [self._system(node, systems) for node in systems]
        if not self.found:
            self.found.append(self._system(Node("vsys1"), []))
        if not self.choices and not self.found[0].alone:
            self._join()

    def _objects(self, places: list[Node]) -> Objects:
        """Return what names mean in these places: the same places once."""
        key = tuple(id(place) for place in places)
        if key not in self._looked_up:
            self._looked_up[key] = self._new_objects(places)
        return self._looked_up[key]

    def _new_objects(self, places: list[Node]) -> Objects:
        overridden = frozenset(
            word
            for place in [self.root, *places]
            for base in ("rulebase", "pre-rulebase", "post-rulebase")
            for rule in place.below(base, "application-override", "rules")
            for word in rule.words("application")
        )
        return Objects(places, self.notes, overridden)

    def _system(self, node: Node, systems: list[Node]) -> Firewall:
        gateways = self.root.below("network", "shared-gateway")
        firewall = Firewall(node.word, alone=len(systems) < 2 and not gateways)
        counted: dict[str, int] = {}
        for other in systems:
            for name in other.words("zone"):
                counted[name] = counted.get(name, 0) + 1
        for zone in node.below("zone"):
            if zone.at("network", "external") is None:
                name = zone.word if counted.get(zone.word, 1) < 2 else f"{node.word}/{zone.word}"
                firewall.zones[zone.word] = name
                firewall.members[name] = interfaces_of(zone)
        pushed = self._objects([self.pushed, self.shared])
        shared = self._objects([self.shared])
        own = self._objects([node, self.shared, self.pushed])
        for place, kind, objects, where in (
            (self.shared, "pre-rulebase", shared, "shared "),
            (self.pushed, "pre-rulebase", pushed, "panorama "),
            (node, "pre-rulebase", own, ""),
            (node, "rulebase", own, ""),
            (node, "post-rulebase", own, ""),
            (self.pushed, "post-rulebase", pushed, "panorama "),
            (self.shared, "post-rulebase", shared, "shared "),
        ):
            base = place.at(kind)
            if base is not None:
                firewall.bases.append(Base(base, objects, f"{where}{kind}", is_own=kind == "rulebase"))
        if firewall.alone:
            self._refer(firewall)
        return firewall

    def _group(self, group: Node, parents: list[str]) -> Firewall:
        """`parents`: nearest first."""
        firewall = Firewall(group.word)
        nodes = [group, *(self.root.at("device-group", name) or Node(name) for name in parents)]
        objects = [self._objects([*nodes[index:], self.shared]) for index in range(len(nodes))]
        objects.append(self._objects([self.shared]))
        nodes.append(self.shared)
        for kind in ("pre-rulebase", "post-rulebase"):
            order = range(len(nodes) - 1, -1, -1) if kind == "pre-rulebase" else range(len(nodes))
            for index in order:
                base = nodes[index].at(kind)
                if base is not None:
                    where = f"{nodes[index].word} {kind}"
                    own = index == 0 and kind == "pre-rulebase"
                    firewall.bases.append(Base(base, objects[index], where, is_own=own))
        for zone in self._template_zones():
            firewall.zones[zone.word] = zone.word
            firewall.members.setdefault(zone.word, []).extend(interfaces_of(zone))
        self._refer(firewall)
        return firewall

    def _refer(self, firewall: Firewall) -> None:
        """Zones that rules name are zones, also where the text does not define them."""
        for base in firewall.bases:
            for rule in base.rules("security"):
                for word in (*rule.words("from"), *rule.words("to")):
                    if word not in (ANY, "multicast") and word not in firewall.beyond:
                        firewall.zones.setdefault(word, word)

    def _template_zones(self) -> Iterator[Node]:
        for template in self.root.below("template"):
            for system in template.below("config", "vsys"):
                yield from system.below("zone")
        for system in self.root.below("vsys"):
            yield from system.below("zone")

    def _parents(self) -> dict[str, list[str]]:
        """Return the groups above each device group, nearest first."""
        above: dict[str, str] = {}
        for place in (self.root.at("readonly") or Node(""), self.root):
            for holder in [place, *place.below("devices")]:
                for group in holder.below("device-group"):
                    if group.value("parent-dg"):
                        above[group.word] = group.value("parent-dg")
        chains: dict[str, list[str]] = {}
        for name in above:
            chain: list[str] = []
            upper = above.get(name, "")
            while upper and upper not in chain and len(chain) < MAX_PARENTS:
                chain.append(upper)
                upper = above.get(upper, "")
            chains[name] = chain
        return chains

    def _join(self) -> None:
        """Resolve external zones: what is beyond them are the zones of other systems and shared gateways."""
        real = {firewall.name: firewall.names() for firewall in self.found}
        for gateway in self.root.below("network", "shared-gateway"):
            real[gateway.word] = [zone.word for zone in gateway.below("zone")]
        for firewall in self.found:
            node = self.root.at("vsys", firewall.name) or Node("")
            for zone in node.below("zone"):
                reached = zone.words("network", "external")
                if zone.at("network", "external") is not None:
                    beyond = [name for one in reached for name in real.get(one, ())]
                    firewall.beyond[zone.word] = beyond or [zone.word]
            self._refer(firewall)


def _speaks(system: Node) -> bool:
    return any(word in system.children for word in ("rulebase", "zone", "address", "service", "import"))


def interfaces_of(zone: Node) -> list[str]:
    """Return the interfaces of a zone, of whatever kind."""
    return [word for layer in LAYERS for word in zone.words("network", layer) if layer != "external"]
