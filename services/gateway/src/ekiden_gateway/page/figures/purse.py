"""The purse: what was spent and set aside of the budget, as a bar."""

from dataclasses import dataclass

from ekiden_gateway.models.sessions import Cost


@dataclass(frozen=True, slots=True)
class Purse:
    """Percent of the bar, which is as long as the budget, or as what is spent where that is more."""

    spent: float
    reserved: float
    free_usd: float


def purse(cost: Cost) -> Purse:
    whole = max(cost.budget_usd, cost.spent_usd + cost.reserved_usd) or 1.0
    return Purse(
        round(100 * cost.spent_usd / whole, 2),
        round(100 * cost.reserved_usd / whole, 2),
        max(0.0, cost.budget_usd - cost.spent_usd - cost.reserved_usd),
    )
