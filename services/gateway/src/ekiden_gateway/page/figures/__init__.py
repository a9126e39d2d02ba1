"""What a session's page draws: pure functions from a session and its ledger to legs, bars and amounts."""
