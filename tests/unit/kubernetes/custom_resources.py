"""What the custom resources that we use may say: the API server's schemas do not have them.

Only the fields that we use, as their makers document them: KEDA 2.18 (ScaledObject specification, Prometheus scaler),
Prometheus Operator 0.80 (API reference), RabbitMQ Cluster Operator 2 (API reference), MongoDB Controllers for
Kubernetes 1.9 (MongoDBCommunity specification). A field that is not here is a misspelt one, or belongs here first.
"""

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "integer", "minimum": 0}
ANY: Schema = {}
"""Kubernetes' own types, which `embedded` in test_schemas checks with their own schemas."""


def record(_required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(_required), "additionalProperties": False}


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def resource(**spec: Schema) -> Schema:
    """A resource whose spec needs all of these fields."""
    metadata = record(("name", "namespace"), name=TEXT, namespace=TEXT, labels={"type": "object"})
    return record(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion=TEXT,
        kind=TEXT,
        metadata=metadata,
        spec=record(tuple(spec), **spec),
    )


_PROMETHEUS_TRIGGER = record(
    ("type", "metadata"),
    type={"const": "prometheus"},
    metricType={"enum": ["AverageValue", "Value"]},
    metadata=record(
        ("serverAddress", "query", "threshold"),
        serverAddress=TEXT,
        query=TEXT,
        threshold={"type": "string", "pattern": r"^\d+(\.\d+)?$"},
        ignoreNullValues={"enum": ["true", "false"]},
    ),
)
_FALLBACK = record(
    ("failureThreshold", "replicas"),
    failureThreshold=NUMBER,
    replicas=NUMBER,
    behavior={"enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]},
)
_SCRAPING = record(
    ("port",),
    port=TEXT,
    path=TEXT,
    params={"type": "object", "additionalProperties": many(TEXT)},
    interval=TEXT,
    scrapeTimeout=TEXT,
    relabelings=many(record(("targetLabel", "replacement"), targetLabel=TEXT, replacement=TEXT)),
)
_SECRET = record(("name",), name=TEXT)
_MONGODB_USER = record(
    ("name", "db", "passwordSecretRef", "roles", "scramCredentialsSecretName"),
    name=TEXT,
    db=TEXT,
    passwordSecretRef=_SECRET,
    scramCredentialsSecretName=TEXT,
    connectionStringSecretName=TEXT,
    roles=many(record(("name", "db"), name=TEXT, db=TEXT)),
)

SCHEMAS: dict[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): resource(
        scaleTargetRef=record(("name",), name=TEXT),
        minReplicaCount=NUMBER,
        maxReplicaCount=NUMBER,
        fallback=_FALLBACK,
        advanced=record(horizontalPodAutoscalerConfig=record(behavior=ANY)),
        triggers=many(_PROMETHEUS_TRIGGER),
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): resource(
        jobLabel=TEXT, selector=record(matchLabels={"type": "object"}), podMetricsEndpoints=many(_SCRAPING)
    ),
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): resource(
        replicas=NUMBER,
        image=TEXT,
        persistence=record(("storage",), storage=TEXT),
        resources=ANY,
        rabbitmq=record(("additionalConfig",), additionalConfig=TEXT),
        affinity=ANY,
    ),
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"): resource(
        type={"const": "ReplicaSet"},
        members=NUMBER,
        version={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        security=record(authentication=record(("modes",), modes=many({"enum": ["SCRAM", "X509"]}))),
        users=many(_MONGODB_USER),
        statefulSet=record(("spec",), spec=ANY),
    ),
}
