"""The pytest plugin: options, checks before the run, cases as items, workers, results, and the end of the run."""
