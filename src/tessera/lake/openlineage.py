"""One run of a step -> an OpenLineage event (2-0-2, COMPLETE), as a dict to be written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tessera._version import VERSION
from tessera.lake.lineage import Lineage, Name
from tessera.lake.table import Table

PRODUCER = f"urn:tessera-cdp:{VERSION}"
SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"

_FACETS = {
    "schema": "1-2-0/SchemaDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "tags": "1-0-0/TagsDatasetFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A table in a run: its declaration, and the version that was read or written.

    tags: (key, value, column) beyond the data categories that the declaration holds; column "" for the whole table.
    """

    table: Table
    version: int | None = None
    tags: tuple[tuple[str, str, str], ...] = ()


def openlineage(
    run_id: UUID | str,
    job: str,
    inputs: Iterable[Dataset],
    outputs: Iterable[tuple[Dataset, Lineage | None]],
    event_time: datetime,
    namespace: str = "tessera",
    run_facets: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The COMPLETE event of one run.

    outputs: each written table with its lineage, None where it was made by Python. event_time: aware, given in UTC.
    run_facets: our own facets on the run (purpose, ledger entry), each already with `_producer` and `_schemaURL`.
    Raises ValueError for a naive event_time or a run_id that is no UUID.
    """
    if event_time.tzinfo is None:
        raise ValueError("event_time needs a time zone")
    kind = {"processingType": "BATCH", "integration": "TESSERA", "jobType": "STEP"}
    return {
        "eventType": "COMPLETE",
        "eventTime": event_time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "producer": PRODUCER,
        "schemaURL": SCHEMA_URL,
        "run": {"runId": str(UUID(str(run_id))), "facets": {k: dict(v) for k, v in (run_facets or {}).items()}},
        "job": {"namespace": namespace, "name": job, "facets": {"jobType": _facet("jobType", kind)}},
        "inputs": [_dataset(namespace, d, None) for d in inputs],
        "outputs": [_dataset(namespace, d, lineage) for d, lineage in outputs],
    }


def _facet(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    path = _FACETS[name]
    kind = path.rpartition("/")[2]
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"https://openlineage.io/spec/facets/{path}.json#/$defs/{kind}",
        **body,
    }


def _dataset(namespace: str, dataset: Dataset, lineage: Lineage | None) -> dict[str, Any]:
    table = dataset.table
    fields = [{"name": c.name, "type": c.lake_type, "description": c.note} for c in table.columns]
    tags = [("category", c.category, c.name) for c in table.columns] + list(dataset.tags)
    facets = {
        "schema": _facet("schema", {"fields": fields}),
        "tags": _facet("tags", {"tags": [_tag(*tag) for tag in tags]}),
    }
    if dataset.version is not None:
        facets["version"] = _facet("version", {"datasetVersion": str(dataset.version)})
    if lineage is not None:
        columns = {out: {"inputFields": _inputs(namespace, lineage, out)} for out in lineage.direct}
        facets["columnLineage"] = _facet("columnLineage", {"fields": columns})
    return {"namespace": namespace, "name": table.name, "facets": facets}


def _tag(key: str, value: str, column: str) -> dict[str, str]:
    tag = {"key": key, "value": value, "source": "TESSERA"}
    return {**tag, "field": column} if column else tag


def _inputs(namespace: str, lineage: Lineage, out: str) -> list[dict[str, Any]]:
    """The columns behind one output, each with how it matters: DIRECT, INDIRECT, or both."""
    direct, indirect = lineage.direct[out], lineage.indirect[out]

    def ways(name: Name) -> list[dict[str, Any]]:
        kinds = [kind for kind, names in (("DIRECT", direct), ("INDIRECT", indirect)) if name in names]
        return [{"type": kind} for kind in kinds]

    return [
        {"namespace": namespace, "name": table, "field": column, "transformations": ways((table, column))}
        for table, column in sorted(direct | indirect)
    ]
