"""The steps of floor 5: FEATURES, SEGMENT_CENTRES, SEGMENTS, CHANNEL_CREDITS, CONVERSION_PATHS."""

from __future__ import annotations

from tessera.insight import centres, features, segments
from tessera.insight.attribution import channels, explorer
from tessera.lake.step import Step

STEPS: tuple[Step, ...] = (
    features.STEP,
    centres.STEP,
    segments.STEP,
    channels.STEP,
    explorer.STEP,
)
