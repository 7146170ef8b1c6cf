"""The steps of floor 5: FEATURES, SEGMENT_CENTRES, SEGMENTS, CHURN_CHECKS, CHURN."""

from __future__ import annotations

from tessera.insight import centres, features, segments
from tessera.insight.churn import checks, scores
from tessera.lake.step import Step

STEPS: tuple[Step, ...] = (features.STEP, centres.STEP, segments.STEP, checks.STEP, scores.STEP)
