"""What models are for and what their figures say, in words: the registry's own names are for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tessera.doors.pages.tongue import N_

Form = Literal["number", "share", "score"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """title, purpose: sentences. main: the figure by which it is judged first. page: where its results are shown."""

    title: str
    sentence: str
    main: str = ""
    page: str = ""


MODELS: dict[str, Model] = {
    "churn": Model(
        title=N_("Churn"), sentence=N_("How likely each customer is to leave, and why."), main="auc", page="/customers"
    ),
    "propensity": Model(
        title=N_("Propensities"), sentence=N_("How likely each person is to reach a goal of yours."), main="auc"
    ),
    "segments": Model(
        title=N_("Segments"), sentence=N_("Groups of people who buy alike, with names that stay."), main="stability",
        page="/segments",
    ),
    "value": Model(
        title=N_("Customer value"), sentence=N_("What each customer is expected to buy, and what that is worth."),
        main="held_out_expected_over_actual",
    ),
    "recommend": Model(
        title=N_("Next products"), sentence=N_("What each person will most likely want next."), main="recall_at_10"
    ),
    "attribution": Model(
        title=N_("Attribution"), sentence=N_("Which channel is credited with which orders."), page="/attribution"
    ),
    "interests": Model(
        title=N_("Interests"), sentence=N_("What people are interested in, by what they write."), main="told_of_posts"
    ),
    "upkeep": Model(title=N_("Device upkeep"), sentence=N_("Which devices may fail soon."), main="auc"),
}  # fmt: skip

FIGURES: dict[str, tuple[str, Form]] = {
    "auc": (N_("Ranks rightly, of 1 (AUC; chance is 0.5)"), "score"),
    "auc_over_twin": (N_("AUC ahead of the plain model"), "score"),
    "auc_over_standing": (N_("AUC ahead of the model before"), "score"),
    "brier": (N_("Mean squared error of the chance (Brier; 0 is best)"), "score"),
    "ece": (N_("How far chances are off on average (calibration error)"), "share"),
    "rate": (N_("Share to whom it came"), "share"),
    "stability": (N_("Found again in models of resampled people (adjusted Rand index, of 1)"), "score"),
    "k": (N_("Number of segments"), "number"),
    "versions": (N_("Versions in force"), "number"),
    "coverage": (N_("Share of products ever recommended"), "share"),
    "recall_at_10": (N_("Of the next basket, found among ten"), "share"),
    "new_recall_at_10": (N_("Of what is new in the next basket, found among ten"), "share"),
    "popularity_recall_at_10": (N_("The same by the best-selling ten"), "share"),
    "hit_rate_at_10": (N_("Baskets with at least one of ten found"), "share"),
    "ndcg_at_10": (N_("Order of the ten, of 1 (NDCG)"), "score"),
    "told_of_posts": (N_("Posts whose topic the keywords tell too"), "share"),
    "average_precision": (N_("Average precision, of 1"), "score"),
    "failing_share": (N_("Share of devices that failed"), "share"),
    "rmse_days": (N_("Error of the days left, in days"), "score"),
    "held_out_auc": (N_("Told apart who came back (AUC)"), "score"),
    "held_out_covered": (N_("Truth within its 95% interval"), "share"),
    "held_out_error": (N_("Error for one customer"), "score"),
    "held_out_error_of_past_rate": (N_("Error of going on as before"), "score"),
    "held_out_expected_over_actual": (N_("Purchases expected for each that came"), "score"),
    "touches": (N_("Touches in it"), "number"), "orders": (N_("Orders in it"), "number"),
    "touches_not_allowed": (N_("Touches left out for lack of consent"), "number"),
    "orders_not_allowed": (N_("Orders left out for lack of consent"), "number"),
    "touches_of_nobody": (N_("Touches of nobody in particular"), "number"),
    "touches_without_channel": (N_("Touches that name no channel"), "number"),
    "orders_without_a_touch": (N_("Orders that no touch led to"), "number"),
    "open_journeys": (N_("Journeys that may still end in an order"), "number"),
    "distinct_paths": (N_("Different paths"), "number"), "states": (N_("States of the chain"), "number"),
    "resamples": (N_("Resamples for intervals"), "number"),
}  # fmt: skip
"""A card's figure -> its words, and how it is written. What is not here is printed under its own name."""

NOTES = (
    N_("For whom to keep in touch with, never for a decision with legal effect. It knows orders and visits, not why; an order that was refunded later counts as returned at every snapshot."),  # noqa: E501
    N_("For whom an offer or a word may be of use, never for a decision with legal effect. It says who is likely to, not whom an offer would move; it knows orders and visits, not why."),  # noqa: E501
    N_("Credits share out what was sold; only an experiment shows what a channel caused. Touches and orders of people who do not allow the purpose are not in it (*_not_allowed)."),  # noqa: E501
    N_("Labels come from the taxonomy's words; nobody has checked them. People are counted by their keys."),
    N_("Foretells the next basket of who has 3 or more; says nothing of what nobody has bought yet."),
    N_("Not stable: models of resampled people agree by less than 0.85."),
    N_("A failure is a device that fell silent: it may have been unplugged. People are counted by their devices."),
)
"""Notes of cards that are the same each time, for the catalogues."""

GROUPS: dict[str, str] = {
    "country": N_("Country"), "region": N_("Region"), "city": N_("City"), "language": N_("Language"), "tier": N_("Tier"),
}  # fmt: skip
"""Fields by which fairness is told."""
