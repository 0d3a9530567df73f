"""The Robotni dialect's words for a job and for what there is to run: queued, running, done, failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from core.actions import ActionSpec
from core.jobs import Job, Json, State, Summary

Schema = Mapping[str, Json]

#: State of the kernel → `status` of this dialect.
STATUS: Mapping[State, str] = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.SUCCEEDED: "done",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
}


def job_view(job: Job) -> dict[str, Json]:
    """Return the whole job as this dialect tells it."""
    return {
        "id": job.id,
        "type": job.action,
        "params": dict(job.params),
        "status": STATUS[job.state],
        "result": job.result,
        "error": _error(job),
    }


def summary_view(job: Summary) -> dict[str, Json]:
    """Return one line of a listing: never params or results, which may be secret or large."""
    return {"id": job.id, "type": job.action, "status": STATUS[job.state], "error": _error(job)}


def types_view(actions: Mapping[str, ActionSpec]) -> dict[str, Json]:
    """Return what there is to run, by type, each with its params as far as this dialect tells them."""
    return {name: _type_view(spec) for name, spec in sorted(actions.items())}


def _error(job: Summary) -> str | None:
    """Return why the job failed; None of one that may still succeed, whatever became of an attempt."""
    if job.state is State.CANCELLED:
        return "cancelled"
    return job.error.message if job.state is State.FAILED and job.error else None


def _type_view(spec: ActionSpec) -> dict[str, Json]:
    properties, required = spec.schema.get("properties", {}), spec.schema.get("required", ())
    definitions = spec.schema.get("$defs", {})
    return {
        "description": spec.description,
        "params": {
            name: _param_view(schema, definitions, required=name in required)
            for name, schema in properties.items()
        },
    }


def _param_view(schema: Schema, definitions: Mapping[str, Schema], *, required: bool) -> dict[str, Json]:
    return {
        "type": _json_type(schema, definitions),
        **({"required": True} if required else {"default": schema.get("default")}),
        "description": schema.get("description", ""),
    }


def _json_type(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Return the JSON type of a param, the first of several; `any` when the schema names none."""
    if "$ref" in schema:
        return _json_type(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return _json_type(schema["anyOf"][0], definitions)
    return str(schema.get("type", "any"))
