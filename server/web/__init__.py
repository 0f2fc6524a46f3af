"""HTTP in, HTTP out: parses requests, calls ingest or reports, renders answers. Imported by routes only."""
