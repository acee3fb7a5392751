// Upstreams: filled in by its first files.
