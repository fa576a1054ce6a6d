"""Proves the suite on the simulator: every case can fail, and no conforming server fails."""
