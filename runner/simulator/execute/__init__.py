"""What the statements do."""
