"""Groups, integers, exponents, keys and secrets."""

import base64
import hashlib
import random
from xml.etree import ElementTree as ET

import pytest

from esession import crypto
from esession.errors import DamagedError, MalformedError, MisuseError
from esession.groups import GROUP_NUMBERS, decode_integer, encode_integer, group
from esession.keys import RSAPublicKey
from esession.secret import Secret
from support.esession_peers import signing_key


def is_probably_prime(number: int, rounds: int = 2) -> bool:
    twos = ((number - 1) & -(number - 1)).bit_length() - 1
    source = random.Random(number)
    for base in (source.randrange(2, 1 << 64) for _ in range(rounds)):
        value = pow(base, (number - 1) >> twos, number)
        if value in {1, number - 1}:
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


@pytest.mark.parametrize("number", sorted(GROUP_NUMBERS - {17, 18}))
def test_each_group_is_a_safe_prime_of_which_2_generates_the_large_subgroup(number: int) -> None:
    prime = group(number).prime
    assert is_probably_prime(prime)
    assert is_probably_prime((prime - 1) // 2)
    assert pow(2, (prime - 1) // 2, prime) == 1


@pytest.mark.parametrize("number", [17, 18])
def test_the_largest_groups_are_safe_primes_too(number: int) -> None:
    prime = group(number).prime
    half = (prime - 1) // 2
    assert pow(3, half - 1, half) == 1, "by Fermat's test"
    assert pow(2, half, prime) == 1, "by Pocklington's theorem, given the line above"


@pytest.mark.parametrize("number", [1, 2, 3, 4, 13, 19])
def test_weak_and_unknown_groups_are_left_out(number: int) -> None:
    with pytest.raises(MalformedError):
        group(number)


def test_the_jacobi_symbol_agrees_with_the_exponentiation_that_it_replaces() -> None:
    chosen = group(5)
    source = random.Random(5)
    for _ in range(20):
        value = source.randrange(2, chosen.prime - 1)
        assert chosen.is_public_value(value) == (pow(value, (chosen.prime - 1) // 2, chosen.prime) == 1)


@pytest.mark.parametrize("number", [5, 14])
def test_public_values_at_the_edges_and_outside_the_subgroup_are_refused(number: int) -> None:
    chosen = group(number)
    outside = next(value for value in range(3, 100) if pow(value, (chosen.prime - 1) // 2, chosen.prime) != 1)
    for value in (0, 1, chosen.prime - 1, chosen.prime, chosen.prime + 1, outside):
        assert not chosen.is_public_value(value)
        with pytest.raises(MalformedError):
            crypto.shared_value(chosen, Secret(b"\1" * 40), value)
    assert chosen.is_public_value(4)


@pytest.mark.parametrize("whole_range", [True, False])
def test_private_exponents_are_within_the_range_of_xep_0116(whole_range: bool) -> None:
    chosen = group(14)
    draws = iter([b"\0" * 300, b"\xff" * 300, random.Random(1).randbytes(300)])

    def entropy(octets: int) -> bytes:
        return next(draws)[:octets]

    exponent = crypto.private_exponent(chosen, entropy, whole_range=whole_range).number()
    assert 1 << 256 < exponent < chosen.prime - 1
    assert (exponent.bit_length() <= 512) is not whole_range


def test_an_exchange_agrees_with_plain_arithmetic() -> None:
    chosen = group(14)
    x = crypto.private_exponent(chosen, random.Random(2).randbytes, whole_range=False)
    y = crypto.private_exponent(chosen, random.Random(3).randbytes, whole_range=False)
    e, d = crypto.public_value(chosen, x), crypto.public_value(chosen, y)
    assert e == pow(2, x.number(), chosen.prime)
    assert crypto.shared_value(chosen, y, e) == crypto.shared_value(chosen, x, d)


@pytest.mark.parametrize("number", [0, 1, 255, 256, 1 << 120])
def test_integers_have_no_leading_zero_octets(number: int) -> None:
    octets = encode_integer(number)
    assert decode_integer(octets) == number
    assert len(octets) == 1 or octets[0]


def test_entropy_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(MisuseError):
        crypto.random_octets(lambda octets: b"x" * (octets - 1), 16)


# --- secrets ------------------------------------------------------------------------------------------


def test_a_secret_never_shows_and_can_be_wiped() -> None:
    secret = Secret(b"hunter2 hunter2")
    assert "hunter2" not in repr(secret) + str(secret) + f"{secret!r:>40}"
    assert secret == Secret(b"hunter2 hunter2")
    assert secret != Secret(b"hunter3 hunter3")
    secret.wipe()
    assert secret.wiped
    with pytest.raises(ValueError, match="wiped"):
        secret.reveal()
    with pytest.raises(TypeError):
        hash(secret)
    with pytest.raises(TypeError):
        secret.__reduce__()


def test_a_wiped_buffer_is_overwritten() -> None:
    secret = Secret(b"hunter2")
    buffer = secret._octets
    secret.wipe()
    assert bytes(buffer) == b"\0" * 7


# --- keys ---------------------------------------------------------------------------------------------


def public() -> RSAPublicKey:
    return RSAPublicKey.of(signing_key("alice"))


def test_a_public_key_survives_all_its_forms() -> None:
    key = public()
    assert RSAPublicKey.from_subject_public_key_info(key.subject_public_key_info()) == key
    assert RSAPublicKey.from_key_value(key.rsa_key_value()) == key
    assert RSAPublicKey.from_key_value(ET.fromstring(key.key_value)) == key


def test_the_normalized_key_value_has_neither_namespaces_nor_space() -> None:
    text = public().key_value.decode()
    assert text.startswith("<KeyValue><RSAKeyValue><Modulus>")
    assert text.endswith("</Exponent></RSAKeyValue></KeyValue>")
    assert "xmlns" not in text
    assert " " not in text


def test_xep_0189_fingerprint_hashes_dates_jid_and_decimal_numbers() -> None:
    key = public()
    data = f"2010-01-14T18:44:18Z2011-01-14T18:44:18Zalice@example.com{key.modulus}{key.exponent}"
    expected = crypto.digest("sha256", data.encode())
    made = key.print_0189("2010-01-14T18:44:18Z", "2011-01-14T18:44:18Z", "alice@example.com")
    assert made == base64.b64encode(expected).decode()
    assert made != key.print_0189("2010-01-14T18:44:18Z", "2011-01-14T18:44:18Z", "alicf@example.com")


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [(1 << 2047, 65537), ((1 << 2047) + 1, 2), ((1 << 2047) + 1, 1), ((1 << 1000) + 1, 65537), (15, 3)],
    ids=["even modulus", "even exponent", "exponent 1", "short modulus", "tiny modulus"],
)
def test_numbers_that_are_no_rsa_key_are_refused(modulus: int, exponent: int) -> None:
    with pytest.raises(MalformedError):
        RSAPublicKey(modulus, exponent)


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", b"not a key"])
def test_der_that_is_no_key_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedError):
        RSAPublicKey.from_subject_public_key_info(octets)
    with pytest.raises(MalformedError):
        crypto.SigningKey.load(octets)


def test_a_private_key_is_kept_and_read_back_and_does_not_print() -> None:
    key = signing_key("alice")
    again = crypto.SigningKey.load(key.dump().reveal())
    assert again.public_numbers() == key.public_numbers()
    assert repr(key) == "SigningKey(…)"


def test_signatures_are_rsa_sha256_and_bind_their_data() -> None:
    signature = signing_key("alice").sign(b"data")
    assert public().verifies(b"data", signature)
    assert not public().verifies(b"other", signature)
    assert not public().verifies(b"data", signature[:-1])


def test_sealed_values_open_only_with_their_key_and_what_they_are_bound_to() -> None:
    sealed = crypto.seal(b"k" * 32, b"plain", b"bound", random.Random(4).randbytes)
    assert crypto.unseal(b"k" * 32, sealed, b"bound") == b"plain"
    for key, octets, bound in (
        (b"l" * 32, sealed, b"bound"),
        (b"k" * 32, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"bound"),
        (b"k" * 32, sealed, b"other"),
        (b"k" * 32, b"", b"bound"),
    ):
        with pytest.raises(DamagedError):
            crypto.unseal(key, octets, bound)


def test_the_hash_names_are_those_of_the_negotiation() -> None:
    for name in ("sha256", "sha384", "sha512"):
        assert crypto.digest(name, b"x") == hashlib.new(name, b"x").digest()
