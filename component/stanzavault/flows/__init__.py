"""Stories that join slices, each over one unit of work and in one commit."""
