"""The vault beside an XMPP server: public keys, messages for the absent and an archive, sealed at rest."""
