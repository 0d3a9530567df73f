"""What holds for every test: no deadline decides it, and no setting of whoever runs it leaks into it."""

from __future__ import annotations

import os

import hypothesis

import config

hypothesis.settings.register_profile(
    "house", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")

for setting in config.settings():
    os.environ.pop(setting.env, None)
