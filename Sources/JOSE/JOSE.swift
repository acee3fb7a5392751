// JOSE: filled in by its first files.
