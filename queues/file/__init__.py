"""The file engine: a job is a JSON file, the folder that it lies in is its state.

Every change of state is one rename or one link. To understand it read, in this order: layout.py, disk.py,
folders.py, records.py, submits.py, claims.py, changes.py.
"""
