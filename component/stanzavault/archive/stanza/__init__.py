"""Archive requests and answers as XML, for the service and for clients: one file per part of the protocol."""
