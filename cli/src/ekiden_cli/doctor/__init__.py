"""What has to be right for sessions to run, each part asked for itself."""
