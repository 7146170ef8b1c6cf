"""The event of a run, read back with the classes of openlineage-python."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import attr
import pytest
from openlineage.client import event_v2
from openlineage.client.generated import (
    column_lineage_dataset,
    dataset_version_dataset,
    job_type_job,
    schema_dataset,
    tags_dataset,
)

from tessera.lake.lineage import trace
from tessera.lake.openlineage import Dataset, openlineage
from tessera.lake.table import Column, Table

CUSTOMERS = Table(
    name="customers",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="BIGINT", category="user.unique_id"),
        Column(name="email", type="VARCHAR", category="user.contact.email", sealed=True),
        Column(name="region", type="VARCHAR"),
    ),
)
REGIONS = Table(
    name="regions", whose="nobody", columns=(Column(name="region", type="VARCHAR"), Column(name="n", type="BIGINT"))
)
FACETS = {
    "schema": (schema_dataset.SchemaDatasetFacet, ("fields", schema_dataset.SchemaDatasetFacetFields)),
    "version": (dataset_version_dataset.DatasetVersionDatasetFacet, None),
    "tags": (tags_dataset.TagsDatasetFacet, ("tags", tags_dataset.TagsDatasetFacetFields)),
}


def event():
    sql = "SELECT region, count(email) AS n FROM customers WHERE key_id > 0 GROUP BY region"
    return openlineage(
        uuid4(),
        "regions",
        [Dataset(table=CUSTOMERS, version=41)],
        [
            (
                Dataset(table=REGIONS, version=3, tags=(("purpose", "analytics", ""),)),
                trace(sql, {"customers": CUSTOMERS.names}),
            )
        ],
        datetime(2026, 11, 22, 5, tzinfo=UTC),
        run_facets={"tessera_purpose": {"_producer": "urn:x", "_schemaURL": "urn:y", "purpose": "analytics"}},
    )


def test_the_event_says_which_columns_went_where():
    (out,) = event()["outputs"]
    fields = out["facets"]["columnLineage"]["fields"]
    assert fields["n"]["inputFields"] == [
        {"namespace": "tessera", "name": "customers", "field": "email", "transformations": [{"type": "DIRECT"}]},
        {"namespace": "tessera", "name": "customers", "field": "key_id", "transformations": [{"type": "INDIRECT"}]},
        {"namespace": "tessera", "name": "customers", "field": "region", "transformations": [{"type": "INDIRECT"}]},
    ]
    (region,) = (f for f in fields["region"]["inputFields"] if f["field"] == "region")
    assert region["transformations"] == [{"type": "DIRECT"}, {"type": "INDIRECT"}]
    assert out["facets"]["version"]["datasetVersion"] == "3"
    assert {"key": "purpose", "value": "analytics", "source": "TESSERA"} in out["facets"]["tags"]["tags"]


def test_the_event_has_the_shape_of_the_standard():
    made = json.loads(json.dumps(event()))
    run = event_v2.RunEvent(
        eventType=event_v2.RunState(made["eventType"]),
        eventTime=made["eventTime"],
        run=event_v2.Run(runId=made["run"]["runId"]),
        job=event_v2.Job(namespace=made["job"]["namespace"], name=made["job"]["name"]),
        producer=made["producer"],
    )
    assert run.schemaURL == made["schemaURL"]
    assert {f.name for f in attr.fields(event_v2.RunEvent)} >= set(made)
    job = {k: v for k, v in made["job"]["facets"]["jobType"].items() if not k.startswith("_")}
    assert made["job"]["facets"]["jobType"]["_schemaURL"] == job_type_job.JobTypeJobFacet(**job)._schemaURL
    for dataset in made["inputs"] + made["outputs"]:
        assert set(dataset) == {"namespace", "name", "facets"}
        for name, facet in dataset["facets"].items():
            body = {k: v for k, v in facet.items() if not k.startswith("_")}
            assert (
                facet["_schemaURL"]
                == (lineage_of(body) if name == "columnLineage" else read_facet(name, body))._schemaURL
            )


def read_facet(name, body):
    kind, inner = FACETS[name]
    if inner:
        body = {inner[0]: [inner[1](**item) for item in body[inner[0]]]}
    return kind(**body)


def lineage_of(body):
    def source(given):
        ways = [column_lineage_dataset.Transformation(**t) for t in given["transformations"]]
        return column_lineage_dataset.InputField(given["namespace"], given["name"], given["field"], ways)

    return column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={
            out: column_lineage_dataset.Fields(inputFields=[source(i) for i in f["inputFields"]])
            for out, f in body["fields"].items()
        }
    )


def test_a_time_without_a_zone_and_a_run_without_an_id_are_refused():
    with pytest.raises(ValueError, match="time zone"):
        openlineage(uuid4(), "j", [], [], datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="UUID"):
        openlineage("run 1", "j", [], [], datetime(2026, 1, 1, tzinfo=UTC))
