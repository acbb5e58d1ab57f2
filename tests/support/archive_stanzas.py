"""Requests to an archive as a client writes them, for tests."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

ARCHIVE = "urn:xmpp:archive"
RSM = "http://jabber.org/protocol/rsm"
XMLENC = "http://www.w3.org/2001/04/xmlenc#"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"


def save(with_: str, start: str, *content: str, subject: str | None = None, thread: str | None = None) -> str:
    """`<save/>` with its one collection."""
    told = {"with": with_, "start": start, "subject": subject, "thread": thread}
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in told.items() if value is not None)
    return f"<save xmlns='{ARCHIVE}'><chat {attributes}>{''.join(content)}</chat></save>"


def data(key_name: str, value: str = "+OGQ0SR+ysraP6LnD43m77VkIVni5c7yPeIbkFdicZ") -> str:
    """`<EncryptedData/>`, as the examples of XEP-0241 write it."""
    return (
        f"<EncryptedData xmlns='{XMLENC}' Type='{XMLENC}Content'>"
        f"<EncryptionMethod Algorithm='{XMLENC}aes128-cbc'/>"
        f"<KeyInfo xmlns='{XMLDSIG}'><KeyName>{key_name}</KeyName></KeyInfo>"
        f"<CipherData><CipherValue>{value}</CipherValue></CipherData></EncryptedData>"
    )


def key(carried: str, public: str, value: str = "E5Qbvfa2gI5lBZMAHryv4g") -> str:
    """`<EncryptedKey/>`, as the examples of XEP-0241 write it."""
    return (
        f"<EncryptedKey xmlns='{XMLENC}'><CarriedKeyName>{carried}</CarriedKeyName>"
        f"<EncryptionMethod Algorithm='{XMLENC}rsa-1_5'/>"
        f"<KeyInfo xmlns='{XMLDSIG}'><KeyName>{public}</KeyName></KeyInfo>"
        f"<CipherData><CipherValue>{value}</CipherValue></CipherData></EncryptedKey>"
    )


def page(
    most: int | None = None, *, after: str | None = None, before: str | None = None, index: int | None = None
) -> str:
    """`<set/>` of a request."""
    told = {"max": most, "after": after, "before": before, "index": index}
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in told.items() if value is not None)
    return f"<set xmlns='{RSM}'>{inner}</set>"


def key_name(name: str) -> str:
    """`<KeyName/>` of a request."""
    return f"<KeyName xmlns='{XMLDSIG}'>{name}</KeyName>"


def request(name: str, inner: str = "", **attributes: str) -> str:
    """Any request of the archive; `with_` gives the attribute 'with'."""
    told = " ".join(f"{key.rstrip('_')}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name} xmlns='{ARCHIVE}' {told}>{inner}</{name}>"
