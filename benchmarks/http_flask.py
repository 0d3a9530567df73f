"""A bare Flask application that keeps nothing, or one fsynced file a request: a measure for the bus."""

from __future__ import annotations

import itertools
import os

from flask import Flask, Response, jsonify, request

#: Where the files of `/durable` go.
FOLDER_VARIABLE = "AAFAI_BENCH_FOLDER"

app = Flask(__name__)
_numbers = itertools.count()


@app.get("/")
def hello() -> Response:
    """Answer as short as a status poll."""
    return jsonify(status="pending", message="Job not yet complete.")


@app.post("/echo")
def echo() -> Response:
    """Answer the JSON that came."""
    return jsonify(request.get_json())


@app.post("/durable")
def durable() -> Response:
    """Answer the JSON that came once it is on the disk: write, fsync, rename, fsync the folder."""
    document = request.get_json()
    _store(os.environ[FOLDER_VARIABLE], f"{os.getpid()}-{next(_numbers)}", request.get_data())
    return jsonify(document)


def _store(folder: str, name: str, content: bytes) -> None:
    temporary = f"{folder}/{name}.tmp"
    file = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o640)
    os.write(file, content)
    os.fsync(file)
    os.close(file)
    os.rename(temporary, f"{folder}/{name}.json")  # noqa: PTH104  Nothing but the system calls.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)
