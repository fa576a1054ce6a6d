"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No test is a matter of time: a busy machine makes each of them slow.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
