"""The doctor: examines a queue's folder and what the bus needs beside it, and mends what loses nothing.

To understand it read findings.py (what is found), patient.py (what is looked at), examination.py (in which
order), bench.py (what mends), then any check.
"""

from doctor.bench import Bench
from doctor.examination import Listener, examine
from doctor.findings import Example, Finding, Flaw, Group, Kind, Mark
from doctor.patient import Patient, admit
from doctor.surroundings import Surroundings, find_surroundings

__all__ = [
    "Bench",
    "Example",
    "Finding",
    "Flaw",
    "Group",
    "Kind",
    "Listener",
    "Mark",
    "Patient",
    "Surroundings",
    "admit",
    "examine",
    "find_surroundings",
]
