"""The agent of an edge node: desired state in, kernel, detectors, events out."""
