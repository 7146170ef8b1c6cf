"""The steps of floor 5: FEATURES, SEGMENT_CENTRES, SEGMENTS, ITEM_NEIGHBOURS, NEXT_PRODUCTS."""

from __future__ import annotations

from tessera.insight import centres, features, segments
from tessera.insight.recommend import item_neighbours, next_products
from tessera.lake.step import Step

STEPS: tuple[Step, ...] = (features.STEP, centres.STEP, segments.STEP, item_neighbours.STEP, next_products.STEP)
