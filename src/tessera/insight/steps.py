"""The steps of floor 5: FEATURES, SEGMENT_CENTRES, SEGMENTS, CUSTOMER_VALUE."""

from __future__ import annotations

from tessera.insight import centres, features, segments
from tessera.insight.value import step as value
from tessera.lake.step import Step

STEPS: tuple[Step, ...] = (features.STEP, centres.STEP, segments.STEP, value.STEP)
