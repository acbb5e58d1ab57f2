-- Stanzavault beside Prosody 0.12: what to tell the server.
--
-- Needs the packages prosody and prosody-modules (mod_delegation and mod_privilege come with the latter).
-- Put this file into /etc/prosody/conf.d/ and replace
--   example.org          by your host,
--   vault.example.org    by the address you give the vault: `component.jid` in its YAML file,
--   change-me            by a long random secret: what `component.secret_file` holds.
-- Then: prosodyctl check config && systemctl restart prosody

-- Your host. If it already has a section with a `modules_enabled` of its own, move these lines there and add the
-- two modules to that list: of two lists for one host, Prosody takes the last one it reads.
VirtualHost "example.org"
    modules_enabled = {
        "delegation"; -- XEP-0355: hands requests over to the vault
        "privilege"; -- XEP-0356: lets the vault read rosters, and no more
    }

    -- What clients send to their own account (or to nobody in particular) and the vault answers. A client needs to
    -- know nothing of the vault. While the vault is away these requests get `service-unavailable`; take the lines
    -- out if you leave it for good.
    delegations = {
        ["urn:xmpp:archive"] = { jid = "vault.example.org" }; -- XEP-0136: the archive
        ["urn:xmpp:tmp:archive"] = { jid = "vault.example.org" }; -- XEP-0241 calls it so
        ["urn:xmpp:pubkey:2"] = { jid = "vault.example.org" }; -- XEP-0189: keys, asked for directly
        ["http://jabber.org/protocol/offline"] = { jid = "vault.example.org" }; -- XEP-0013: messages for the absent
    }

    privileged_entities = {
        ["vault.example.org"] = {
            roster = "get"; -- key nodes open to contacts only need to know who they are
            -- Messages for the absent are delivered when a client sends its presence to the vault, once subscribed
            -- to it at every login. With this line every login does, and the vault sees everybody's presence:
            -- presence = "managed_entity";
        };
    }

Component "vault.example.org"
    component_secret = "change-me"
    modules_enabled = { "delegation", "privilege" }
    -- A vault that lost its link comes back before Prosody has noticed: the new link must win.
    component_conflict_resolve = "kick_old"

-- The vault connects to 127.0.0.1:5347, Prosody's default for components. A vault on another machine needs
-- component_interfaces, and a tunnel with TLS: XEP-0114 has no encryption of its own.
