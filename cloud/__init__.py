"""The machine we stand on: power switches, and later wake alarms."""
