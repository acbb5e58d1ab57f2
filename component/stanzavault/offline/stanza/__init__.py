"""XML of messages for the absent, one file per specification."""
