firewall {
    all-ping enable
    ipv6-name WAN-IN6 {
        default-action drop
        rule 10 {
            action accept
            icmpv6 {
                type echo-request
            }
            protocol icmpv6
        }
    }
    name WAN-IN {
        default-action drop
        description "from the outside"
        rule 10 {
            action accept
            state {
                established enable
                related enable
            }
        }
        rule 30 {
            action accept
            destination {
                address 10.20.0.10
                port 80,443,8000-8010
            }
            protocol tcp
        }
        rule 20 {
            action reject
            log enable
            source {
                address !198.51.100.0/24
            }
            protocol udp
        }
        rule 40 {
            action accept
            disable
        }
    }
    name WAN-OWN {
        default-action drop
    }
    name LAN-OUT {
        default-action accept
        rule 1 {
            action drop
            destination {
                address 10.20.0.66
            }
        }
    }
    state-policy {
        invalid {
            action drop
        }
    }
}
interfaces {
    ethernet eth0 {
        address 198.51.100.2/30
        firewall {
            in {
                ipv6-name WAN-IN6
                name WAN-IN
            }
            local {
                name WAN-OWN
            }
        }
        vif 20 {
            firewall {
                in {
                    name WAN-IN
                }
            }
        }
    }
    ethernet eth1 {
        address 10.20.0.1/24
        firewall {
            out {
                name LAN-OUT
            }
        }
    }
    loopback lo {
    }
}
protocols {
    static {
        route 0.0.0.0/0 {
            next-hop 198.51.100.1 {
            }
        }
    }
}
system {
    host-name office
    login {
        user vyos {
        }
    }
}
/* Warning: Do not remove the following line. */
/* === vyatta-config-version: "firewall@5:nat@4" === */
/* Release version: 1.2.9 */
