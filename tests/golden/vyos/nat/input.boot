firewall {
    ipv4 {
        prerouting {
            raw {
                rule 10 {
                    action "drop"
                    destination {
                        address "10.20.0.10"
                    }
                }
            }
        }
    }
}
interfaces {
    ethernet eth0 {
        address "198.51.100.2/30"
    }
}
nat {
    destination {
        rule 20 {
            description "web"
            destination {
                address "198.51.100.2"
                port "8443"
            }
            inbound-interface {
                name "eth0"
            }
            protocol "tcp"
            translation {
                address "10.20.0.10"
                port "443"
            }
        }
        rule 10 {
            exclude
            source {
                address "192.0.2.0/24"
            }
        }
        rule 30 {
            destination {
                port "53"
            }
            protocol "tcp_udp"
            translation {
                redirect {
                    port "5353"
                }
            }
        }
        rule 40 {
            destination {
                address "203.0.113.0/24"
            }
            translation {
                address "10.20.0.0/24"
            }
        }
    }
    source {
        rule 10 {
            outbound-interface {
                name "eth0"
            }
            source {
                address "10.20.0.0/24"
            }
            translation {
                address "masquerade"
            }
        }
        rule 20 {
            source {
                address "10.21.0.0/24"
            }
            translation {
                address "203.0.113.7-203.0.113.9"
                port "1024-2048"
            }
        }
    }
    static {
        rule 1 {
            destination {
                address "203.0.113.5"
            }
            inbound-interface "eth0"
            translation {
                address "10.20.0.5"
            }
        }
    }
}
nat66 {
    destination {
        rule 10 {
            destination {
                address "2001:db8:f::5"
            }
            translation {
                address "2001:db8:20::5"
            }
        }
    }
    source {
        rule 10 {
            outbound-interface {
                name "eth0"
            }
            source {
                prefix "2001:db8:20::/64"
            }
            translation {
                address "2001:db8:f::/64"
            }
        }
    }
}
// vyos-config-version: "firewall@15:nat@7:nat66@3"
// Release version: 1.4.0
