"""Measurements: each prints its figures beside a reference of the same run."""
