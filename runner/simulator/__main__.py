"""Runs the simulator as a program: `python -m runner.simulator --port N`."""

from __future__ import annotations

import sys

from runner.simulator.command import add_arguments, main

__all__ = ["add_arguments", "main"]

if __name__ == "__main__":
    sys.exit(main())
