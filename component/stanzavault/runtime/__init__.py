"""The running service: stream, boundary, database, sealing, log, metrics."""
