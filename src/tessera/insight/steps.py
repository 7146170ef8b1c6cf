"""The steps of floor 5, in their order: features first, which the others read."""

from __future__ import annotations

from tessera.insight import features
from tessera.insight.attribution import channels, explorer
from tessera.insight.churn import checks, scores
from tessera.insight.interests import interests, post_topics
from tessera.insight.propensity import checks as propensity_checks
from tessera.insight.propensity import scores as propensity
from tessera.insight.recommend import item_neighbours, next_products
from tessera.insight.segments import centres, history, rules
from tessera.insight.upkeep import device_health, service_demand
from tessera.insight.value import step as value
from tessera.lake.step import Step

STEPS: tuple[Step, ...] = (
    features.STEP, centres.STEP, history.STEP, rules.STEP, value.STEP, checks.STEP, scores.STEP, propensity_checks.STEP,
    propensity.STEP, item_neighbours.STEP, next_products.STEP, channels.STEP, explorer.STEP, post_topics.STEP, interests.STEP,
    device_health.STEP, service_demand.STEP,
)  # fmt: skip
