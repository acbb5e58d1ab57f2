"""What the slices' stores share: the schema's conventions, sealed rows, the unit of work, usage."""
