"""Both providers on their real wire formats, with latency, faults and a bill."""
