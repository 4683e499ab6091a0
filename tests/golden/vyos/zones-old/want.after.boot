firewall {
    name LAN-WAN {
        default-action accept
    }
    name OWN-ANY {
        default-action accept
    }
    name WAN-LAN {
        default-action drop
        rule 10 {
            action accept
            destination {
                address 10.20.0.10
                port 443
            }
            protocol tcp
        }
        rule 20 {
            action accept
            description fwguard:golden-1
            destination {
                address 10.20.0.10
                port 22,9000-9010
            }
            protocol tcp
        }
    }
}
interfaces {
    ethernet eth0 {
        address 198.51.100.2/30
    }
    ethernet eth1 {
        address 10.20.0.1/24
    }
}
zone-policy {
    zone lan {
        default-action drop
        from own {
            firewall {
                name OWN-ANY
            }
        }
        from wan {
            firewall {
                name WAN-LAN
            }
        }
        interface eth1
        interface eth2
    }
    zone own {
        default-action reject
        from lan {
            firewall {
                name OWN-ANY
            }
        }
        local-zone
    }
    zone wan {
        from lan {
            firewall {
                name LAN-WAN
            }
        }
        interface eth0
    }
}
nat {
    destination {
        rule 10 {
            description fwguard:golden-1
            inbound-interface any
            destination {
                address 198.51.100.2
                port 2222
            }
            protocol tcp
            translation {
                address 10.20.0.10
                port 22
            }
        }
    }
}
/* === vyatta-config-version: "firewall@5:zone-policy@1" === */
/* Release version: 1.3.4 */
