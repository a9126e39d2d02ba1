"""What the gateway answers, typed. `docs/openapi.json` is the other side of it; a test compares the two."""
