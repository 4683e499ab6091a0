"""Exact answers about policies: what passes, what differs, what a rule is for. Pure."""
