"""A whole hosting platform on one machine: network namespaces, real firewalls, real mail, real traffic."""
