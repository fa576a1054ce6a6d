"""The suite proved on the simulator: every case can fail, and no lawful server is accused."""
