"""What a session costs."""

from ekiden_client.models.document import Document


class Cost(Document):
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    budget_usd: float = 0.0
    saved_usd: float = 0.0
