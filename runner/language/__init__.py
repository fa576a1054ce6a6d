"""The case language: reads cases, registers and other YAML files, with positions, into frozen values.

The lowest layer: nothing here imports pytest, connections or verdicts.
"""
