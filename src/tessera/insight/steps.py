"""The steps of floor 5: FEATURES, SEGMENT_CENTRES, SEGMENTS, DEVICE_HEALTH, SERVICE_DEMAND, POST_TOPICS, INTERESTS."""

from __future__ import annotations

from tessera.insight import centres, features, segments
from tessera.insight.interests import interests, post_topics
from tessera.insight.upkeep import device_health, service_demand
from tessera.lake.step import Step

STEPS: tuple[Step, ...] = (
    features.STEP, centres.STEP, segments.STEP, device_health.STEP, service_demand.STEP, post_topics.STEP, interests.STEP,
)  # fmt: skip
