"""Collections sealed to their owner's public keys (XEP-0241)."""

import random
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from esession.errors import DamagedError, MalformedError
from esession.keys import RSAPublicKey
from esession.sealed_collection import CollectionKey
from esession.wire import xep_0241
from esession.wire.xep_0241 import EncryptedData, EncryptedKey
from support.esession_peers import signing_key

ENTROPY = random.Random(241).randbytes
CONTENT = b"<from secs='0'><body>Art thou not Romeo?</body></from>"

# An example of XEP-0241 section 2, as data.
EXAMPLE_DATA = """<EncryptedData xmlns='http://www.w3.org/2001/04/xmlenc#'
    Type='http://www.w3.org/2001/04/xmlenc#Content'>
  <EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#aes128-cbc'/>
  <KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'><KeyName>dataKey1</KeyName></KeyInfo>
  <CipherData><CipherValue>+OGQ0SR+ysraP6LnD43m77VkIVni5c7yPeIbkFdi</CipherValue></CipherData>
</EncryptedData>"""
EXAMPLE_KEY = """<EncryptedKey xmlns='http://www.w3.org/2001/04/xmlenc#'>
  <CarriedKeyName>dataKey1</CarriedKeyName>
  <EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-1_5"/>
  <KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'>
    <KeyName>romeoPublicKey1fingerprint</KeyName>
  </KeyInfo>
  <CipherData><CipherValue>E5Qbvfa2gI5lBZMAHryv4g==</CipherValue></CipherData>
</EncryptedKey>"""


def sealed() -> tuple[EncryptedData, EncryptedKey]:
    key = CollectionKey.generate(ENTROPY)
    data = key.seal(CONTENT, ENTROPY)
    wrapped = key.wrap_for(RSAPublicKey.of(signing_key("alice")), "print1")
    key.wipe()
    return data, wrapped


def through_xml(data: EncryptedData, key: EncryptedKey) -> tuple[EncryptedData, EncryptedKey]:
    return (
        xep_0241.read_data(ET.fromstring(ET.tostring(xep_0241.write_data(data)))),
        xep_0241.read_key(ET.fromstring(ET.tostring(xep_0241.write_key(key)))),
    )


def test_a_collection_is_opened_with_the_private_key_after_its_key_was_forgotten() -> None:
    data, wrapped = through_xml(*sealed())
    assert (data.algorithm, wrapped.algorithm) == (xep_0241.AES256_GCM, xep_0241.RSA_OAEP)
    assert (wrapped.digest, wrapped.mask) == (xep_0241.SHA256, xep_0241.MGF1_SHA256)
    assert wrapped.recipient == "print1"
    assert wrapped.carried_name == data.key_name
    assert CollectionKey.open(wrapped, signing_key("alice")).unseal(data) == CONTENT


def test_gcm_data_is_nonce_ciphertext_and_tag() -> None:
    data, _ = sealed()
    assert len(data.cipher) == 12 + len(CONTENT) + 16


def test_one_key_seals_many_times_without_repeating_a_nonce() -> None:
    key = CollectionKey.generate(ENTROPY)
    assert len({key.seal(CONTENT, ENTROPY).cipher[:12] for _ in range(50)}) == 50


def test_another_private_key_opens_nothing() -> None:
    _, wrapped = sealed()
    with pytest.raises(DamagedError):
        CollectionKey.open(wrapped, signing_key("mallory"))


def test_damaged_or_foreign_data_is_not_opened() -> None:
    data, wrapped = sealed()
    key = CollectionKey.open(wrapped, signing_key("alice"))
    flipped = bytes([data.cipher[0] ^ 1]) + data.cipher[1:]
    for wrong in (replace(data, cipher=flipped), replace(data, cipher=b"x"), replace(data, algorithm="cbc")):
        with pytest.raises(DamagedError):
            key.unseal(wrong)
    for foreign in (
        replace(wrapped, algorithm="http://www.w3.org/2001/04/xmlenc#rsa-1_5"),
        replace(wrapped, digest="md5"),
        replace(wrapped, cipher=b"x"),
    ):
        with pytest.raises(DamagedError):
            CollectionKey.open(foreign, signing_key("alice"))


@pytest.mark.parametrize(("digest", "name"), [(None, "sha1"), (xep_0241.SHA256, "sha256")])
def test_keys_under_the_older_oaep_name_are_opened(digest: str | None, name: str) -> None:
    public = signing_key("alice")._key.public_key()
    hashed = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}[name]()
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashed, None)
    wrapped = EncryptedKey("k", "p", public.encrypt(b"k" * 32, oaep), xep_0241.RSA_OAEP_MGF1P, digest, None)
    opened = CollectionKey.open(wrapped, signing_key("alice"))
    assert CollectionKey("k", opened._key).name == "k"
    with pytest.raises(DamagedError, match="length"):
        CollectionKey.open(replace(wrapped, cipher=public.encrypt(b"k", oaep)), signing_key("alice"))


def test_xep_0241_what_other_clients_made_is_read_and_written_back_unchanged() -> None:
    data, key = ET.fromstring(EXAMPLE_DATA), ET.fromstring(EXAMPLE_KEY)

    def bare(element: ET.Element) -> str:
        return ET.canonicalize(ET.tostring(element), strip_text=True)

    assert bare(xep_0241.write_data(xep_0241.read_data(data))) == bare(data)
    assert bare(xep_0241.write_key(xep_0241.read_key(key))) == bare(key)
    assert xep_0241.read_key(key).recipient == "romeoPublicKey1fingerprint"


@pytest.mark.parametrize("missing", ["EncryptionMethod", "KeyInfo", "CipherData", "CarriedKeyName"])
def test_incomplete_elements_are_refused(missing: str) -> None:
    element = ET.fromstring(EXAMPLE_KEY)
    element.remove(next(child for child in element if child.tag.endswith(f"}}{missing}")))
    with pytest.raises(MalformedError):
        xep_0241.read_key(element)
    with pytest.raises(MalformedError):
        xep_0241.read_data(element)


def test_a_collection_s_key_does_not_print() -> None:
    key = CollectionKey.generate(ENTROPY)
    assert key._key.reveal().hex() not in repr(key)
    assert repr(key) == f"CollectionKey({key.name!r})"
