"""This host's kernel: nftables, conntrack, NFLOG, traffic control, links. Plain values in, readings out."""
