"""Any sequence of what can happen to a task ends in exactly one final state, with the whole bill."""

from hypothesis import example, given, settings

from ekiden.domain.messages import FINAL
from tests.contract.ledger_contract import ASK, RESEND
from tests.contract.ledger_interleavings import Deed, deeds, play
from tests.contract.test_ledger import FakeLab

LATE: list[Deed] = [
    ("one", "claim", False),
    ("nobody", "free", False),
    ("two", "claim", False),
    ("one", "submitted", True),
    ("two", "refused", True),
    ("one", "complete", True),
]


@settings(max_examples=300, deadline=None)
@given(sequence=deeds)
@example(sequence=LATE)
async def test_any_sequence_ends_in_one_final_state_where_a_resend_is_allowed(sequence: list[Deed]) -> None:
    lab = FakeLab()
    assert (await play(lab, await lab.order(policy=RESEND), sequence)).status in FINAL


LATE_FOR_A_RESEND: list[Deed] = [
    ("one", "claim", False),
    ("nobody", "free", False),
    ("nobody", "resend", False),
    ("one", "submitted", True),
    ("nobody", "abandon", False),
    ("one", "complete", True),
]


@settings(max_examples=300, deadline=None)
@given(sequence=deeds)
@example(sequence=LATE)
@example(sequence=LATE_FOR_A_RESEND)
async def test_any_sequence_ends_in_one_final_state_where_a_person_is_asked(sequence: list[Deed]) -> None:
    lab = FakeLab()
    assert (await play(lab, await lab.order(policy=ASK), sequence)).status in FINAL
