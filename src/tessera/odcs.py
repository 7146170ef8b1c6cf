"""The keys of the Open Data Contract Standard (v3.1, and v3.2 where it adds), and ours in its customProperties."""

from __future__ import annotations

VERSIONS = ("v3.1.0", "v3.2.0", "v3.0.2", "v3.0.1", "v3.0.0")

_ELEMENT = (
    "id", "name", "physicalType", "description", "businessName", "deprecated", "synonyms", "authoritativeDefinitions",
    "tags", "customProperties",
)  # fmt: skip

CONTRACT = (
    "apiVersion", "kind", "id", "name", "version", "status", "schema", "servers", "team", "slaProperties",
    "customProperties", "description", "tags", "tenant", "domain", "dataProduct", "context", "support", "price",
    "roles", "slaDefaultElement", "authoritativeDefinitions", "contractCreatedTs",
)  # fmt: skip
SCHEMA = (
    "name", "properties", "quality", "logicalType", "physicalName", "dataGranularityDescription", "relationships",
    "context", *_ELEMENT,
)  # fmt: skip
PROPERTY = (
    "name", "logicalType", "required", "unique", "primaryKey", "logicalTypeOptions", "classification",
    "customProperties", "quality", "enum", "physicalName", "physicalType", "primaryKeyPosition", "description",
    "examples", "semanticType", "partitioned", "partitionKeyPosition", "encryptedName", "transformSourceObjects",
    "transformLogic", "transformDescription", "criticalDataElement", "relationships", "properties", "items", "map",
    *_ELEMENT,
)  # fmt: skip
TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "time", "object", "array", "map", "vector")
OPTIONS = {
    "string": ("format", "pattern", "maxLength"),
    "integer": ("minimum", "maximum", "format"),
    "number": ("minimum", "maximum", "format"),
    "date": ("format",),
    "timestamp": ("format",),
    "time": ("format",),
}
"""The logicalTypeOptions that we check; the standard's others are refused, as an unchecked promise helps nobody."""

SERVER = (
    "server", "type", "path", "format", "customProperties", "id", "description", "environment", "roles", "account",
    "catalog", "catalogUrl", "database", "dataset", "delimiter", "encoding", "endpointUrl", "host", "location",
    "namespace", "port", "project", "region", "regionName", "schema", "serviceName", "stagingDir", "stream",
    "warehouse", "workgroup",
)  # fmt: skip
SQL_SERVERS = ("postgres", "postgresql", "mysql", "sqlite", "sqlserver", "oracle", "custom")
DOOR = "api"
"""The type of a server whose events are sent to us (ODCS asks for its `location`: the path at our door)."""
WEBHOOK = "/v1/webhook"
"""The location of a server that is sent any JSON; any other is the tracking API's."""
FORMATS = ("csv", "parquet", "json")

TEAM = ("name", "members", "id", "description", "tags", "customProperties", "authoritativeDefinitions")
SLA = (
    "property", "value", "unit", "valueExt", "element", "driver", "id", "description", "scheduler", "schedule",
    "customProperties", "authoritativeDefinitions",
)  # fmt: skip

OPERATORS = (
    "mustBe", "mustBeLessThan", "mustBeLessOrEqualTo", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
QUALITY = (
    "metric", "type", "unit", "dimension", "arguments", *OPERATORS, "id", "name", "description", "severity",
    "businessImpact", "schedule", "scheduler", "method", "tags", "rule", "query", "engine", "implementation",
    "customProperties", "authoritativeDefinitions",
)  # fmt: skip
METRICS = {
    "nullValues": "completeness",
    "missingValues": "completeness",
    "invalidValues": "conformity",
    "duplicateValues": "uniqueness",
}
"""The library metrics that we run, and the dimension each belongs to unless the contract says otherwise."""
DIMENSIONS = ("accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness")

OUR_CONTRACT = ("record", "sync", "cursor", "amounts", "currency", "rank", "deriveOrders", "goalPercent")
OUR_SERVER = ("connection", "query", "table")
OUR_DOOR = ("enabled", "trackingPlan", "additionalProperties", "consent", "consentPurposes", "dedupeHours", "eventBytes",
            "address", "cookieDomain")  # fmt: skip
OUR_WEBHOOK = ("rows", "signatureHeader", "signatureSecret", "signatureEncoding")
OUR_BROKER = ("connection", "rows", "protocol", "caFile", "plain")
OUR_PROPERTY = ("category", "mapsTo", "identifier", "joins", "joinsIf", "sealed", "consent", "signal",
                "tcfPurposes", "consentPart", "enum", "expression")  # fmt: skip
