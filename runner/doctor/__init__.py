"""What a target can do for the suite before it runs: facts, and what is missing, what that costs and what mends it."""
