"""What the packets say: first packets of connections in, detections with their proof out. Pure.

No socket, no process, no clock: time is the packets' own. `engine.py` is the door, `table.py` the list of
detectors; each detector is one file.
"""
