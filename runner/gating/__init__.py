"""Gates builds: what changed between two runs, which deviations are known, what CI systems are told."""
