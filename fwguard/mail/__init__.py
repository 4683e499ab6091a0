"""Mail: read it without trusting it, know who sent it, write it, send it."""
