"""Ekiden alone, in under a minute, for whoever makes it faster: `make bench PART=ekiden`."""

import tempfile
from pathlib import Path

from benchmarks.contestants import IN_FLIGHT, WARM_UP, Length
from benchmarks.figures import Figures, at, measured, read
from benchmarks.ours import ekiden


async def alone(length: Length, in_flight: int = IN_FLIGHT) -> Figures:
    """Print each repeat's figures as they come."""
    found = Figures({})
    with tempfile.TemporaryDirectory() as folder:
        async with ekiden(Path(folder)) as ours:
            await ours.run(WARM_UP, WARM_UP)
            for repeat in range(length.repeats):
                meters = measured(ours.pids() | ours.servers())
                found.note_load(await ours.run(length.sessions, in_flight), read(meters))
                found.note_singles(await ours.run(length.singles, 1))
                print(f"{repeat + 1}/{length.repeats} {found.last}", flush=True)
            found.handoff_ms = await ours.handoffs(length.singles)
            accepted = await ours.accepted_per_second()
    p50, p99 = (at(found.handoff_ms, share) for share in (0.5, 0.99))
    print(f"hand-off p50 {p50:.1f} ms, p99 {p99:.1f} ms, of {len(found.handoff_ms)}")
    print(f"{accepted:.0f} sessions/s created and started over HTTP")
    return found
