"""The stories, each read from top to bottom: change, guard, intake, expiry. Flows decide by asking the pure
rooms, act by the device and mail rooms, and write every step into the store before it is used."""
