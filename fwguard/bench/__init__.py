"""The benchmarks: each measures one room and prints JSON."""
