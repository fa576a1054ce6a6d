"""Runs one case on a target and judges it: sets the stage, plays the steps, looks who is gone, clears up."""
