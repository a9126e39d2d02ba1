"""The `ekiden` command, and a typed client of the gateway for whoever else needs one."""
