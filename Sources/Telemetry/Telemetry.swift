// Telemetry: filled in by its first files.
