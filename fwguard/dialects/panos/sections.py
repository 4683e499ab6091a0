"""Which parts of a PAN-OS configuration say nothing of filtering, NAT or routing: an explicit list."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.firewalls import Base
from fwguard.dialects.unread import Notes
from fwguard.model.policy import Action, Match, Rule

READ_TOP: Final = frozenset({"vsys", "shared", "device-group", "network", "template", "policy"})
SILENT_TOP: Final = frozenset(
    {"deviceconfig", "mgt-config", "readonly", "template-stack", "log-collector", "log-collector-group", "panorama",
     "platform", "predefined", "plugins", "wildfire-appliance", "wildfire-appliance-cluster", "devices"}
)  # fmt: skip
OF_OBJECTS: Final = frozenset(
    {"address", "address-group", "service", "service-group", "application", "application-group",
     "application-filter", "application-status", "application-tag", "region", "external-list", "schedule", "tag",
     "profiles", "profile-group", "dynamic-user-group", "device-object", "threats", "log-settings",
     "authentication-object", "rulebase", "pre-rulebase", "post-rulebase", "override"}
)  # fmt: skip
SILENT_SHARED: Final = frozenset(
    {"admin-role", "authentication-profile", "authentication-sequence", "botnet", "certificate",
     "certificate-profile", "content-preview", "custom-url-category", "email-scheduler", "local-user-database",
     "ocsp-responder", "pdf-summary-report", "report-group", "reports", "response-page", "scep", "server-profile",
     "ssl-decrypt", "ssl-tls-service-profile", "ssl-exclude-cert", "alg-override", "global-protect", "log-storage",
     "dns-proxy", "group-mapping", "user-id-collector", "redistribution-agent", "sdwan", "ssh-key",
     "multi-vsys", "custom", "cert-store", "parent-dg", "description", "devices", "id", "to-sw-version",
     "authorization-code", "vm-info-source", "master-device", "reference-templates", "user-id-agent", "allow-proxy",
     "quota-settings", "cloud-services", "display-name", "user-id-hub", "ike", "user-id-ssl-auth"}
)  # fmt: skip
SILENT_VSYS: Final = SILENT_SHARED | {
    "zone", "import", "captive-portal", "setting", "ts-agent", "ipsec", "url-admin-override",
    "redistribution-collector",
    "group-include-list", "g-p-s", "dos-protection", "route-table",
}  # fmt: skip
READ_RULES: Final = ("security", "nat", "default-security-rules")
# Rule bases that look into payloads, shape traffic, or only log.
SILENT_RULES: Final = ("qos", "decryption", "tunnel-inspect", "sdwan", "network-packet-broker")
UNREAD_RULES: Final = {
    "application-override": "applications are not followed",
    "pbf": "routes by policy, and is not followed",
    "authentication": "asks users to log in, and is not followed",
    "dos": "drops floods",
}  # fmt: skip
SILENT_NETWORK: Final = frozenset(
    {"interface", "virtual-router", "logical-router", "profiles", "qos", "ike", "tunnel", "dhcp", "dns-proxy", "vlan",
     "virtual-wire", "lldp", "shared-gateway", "underlay-net", "gre", "secure-web-gateway", "routing-profile",
     "underlay", "pppoe", "lacp", "bgp", "sdwan", "authentication-profile"}
)  # fmt: skip


def check_sections(root: Node, notes: Notes) -> None:
    """Say what no list knows."""
    for child in root.children.values():
        if child.word not in READ_TOP and child.word not in SILENT_TOP:
            notes.node(child, "not understood")
    for system in root.below("vsys"):
        _check(system, SILENT_VSYS, notes)
    for holder in [root.at("shared") or Node(""), root.at("policy", "panorama") or Node("")]:
        _check(holder, SILENT_SHARED, notes)
    for group in root.below("device-group"):
        _check(group, SILENT_SHARED, notes)
    for child in root.below("network"):
        if child.word not in SILENT_NETWORK:
            notes.node(child, "not understood in network")


def _check(holder: Node, silent: frozenset[str], notes: Notes) -> None:
    for child in holder.children.values():
        if child.word not in OF_OBJECTS and child.word not in silent:
            notes.node(child, "not understood")


def other_rules(base: Base, notes: Notes) -> list[Rule]:
    """Say which rules of other rule bases are not followed; return those that may drop, as unknown."""
    rules = []
    for child in base.node.children.values():
        if child.word in UNREAD_RULES:
            for rule in base.rules(child.word):
                why = notes.node(rule, f"{child.word} {UNREAD_RULES[child.word]}")
                if child.word == "dos" and "deny" in rule.children.get("action", Node("")).children:
                    rules.append(
                        Rule(
                            matches=(Match(unknown=why),), action=Action.DROP, line=rule.line,
                            text=f"{base.where} dos rule {rule.text()}"[:400],
                        )
                    )  # fmt: skip
        elif child.word not in (*READ_RULES, *SILENT_RULES):
            why = notes.node(child, f"rules of {child.word[:40]} are not understood")
            text = f"{base.where} {child.word}"[:80]
            rules.append(
                Rule(matches=(Match(unknown=why),), action=Action.UNKNOWN, line=child.line, text=text)
            )
    return rules
