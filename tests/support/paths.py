"""Folders of the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
CASES = ROOT / "cases"
"""The cases of the suite, and their register."""
