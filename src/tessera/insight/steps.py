"""The steps of floor 5: FEATURES, SEGMENT_CENTRES, SEGMENTS, CUSTOMER_VALUE, CHURN_CHECKS, CHURN."""

from __future__ import annotations

from tessera.insight import features
from tessera.insight.churn import checks, scores
from tessera.insight.segments import centres, history
from tessera.insight.value import step as value
from tessera.lake.step import Step

STEPS: tuple[Step, ...] = (features.STEP, centres.STEP, history.STEP, value.STEP, checks.STEP, scores.STEP)
