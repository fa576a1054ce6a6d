"""Tests of the simulator, over real sockets against real processes."""
