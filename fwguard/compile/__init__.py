"""The desired state of an edge -> nftables and tc. Pure: no kernel is touched here."""
