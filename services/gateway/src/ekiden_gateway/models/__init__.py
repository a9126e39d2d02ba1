"""The JSON of the HTTP interface: requests and answers, camelCase, with examples."""
