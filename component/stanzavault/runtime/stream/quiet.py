"""Keeps slixmpp from logging: it writes raw stanzas and raw bytes, message bodies included."""

import logging


def silence_slixmpp() -> None:
    """Stops every record of slixmpp's loggers before a handler sees it, whatever the root logger's level."""
    logger = logging.getLogger("slixmpp")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
