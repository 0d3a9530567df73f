"""The settings: environment variables in, one checked `Config` out."""

from config.table import Config, find, settings

__all__ = ["Config", "find", "settings"]
