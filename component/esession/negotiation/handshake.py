"""One negotiation, from either side, encrypted or not: which forms to write and what those received mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from xml.etree import ElementTree as ET

from esession.errors import NOT_ACCEPTABLE, MalformedError, MisuseError, RefusedError
from esession.events import SessionRequested
from esession.negotiation import initiator, offer, responder
from esession.negotiation.established import Established, Party
from esession.negotiation.initiator import Choice, Proved
from esession.negotiation.offer import Opening
from esession.negotiation.responder import Answered
from esession.negotiation.terms import Terms, choose_terms, read_terms
from esession.state import Input
from esession.storage import RetainedSecret
from esession.wire import xep_0116, xep_0155
from esession.wire.xep_0004 import Field, Form
from esession.wire.xep_0155 import NegotiationMessage


@dataclass(frozen=True, slots=True)
class Step:
    """What a negotiation does next.

    Attributes:
        on: The transition.
        form: The form to send.
        terms: The terms of a session without encryption, once it is agreed.
        established: The encrypted session, once it is.
        init: Whether the form goes into `<init/>`.
        content: A message to encrypt into the same stanza.
        received: A stanza that brought encrypted content along.
    """

    on: Input
    form: Form | None = None
    terms: Terms | None = None
    established: Established | None = None
    init: bool = False
    content: ET.Element | None = None
    received: ET.Element | None = None


class Handshake:
    """The values that a negotiation keeps between its messages."""

    def __init__(self, party: Party, peer: str, one_shot: ET.Element | None = None) -> None:
        self._party = party
        self._peer = peer
        self._one_shot = one_shot
        self._opening: Opening | None = None
        self._plain_request: Form | None = None
        self._response: Choice | Terms | None = None
        self._proved: Proved | None = None
        self._request: NegotiationMessage | None = None
        self._answered: Answered | Terms | None = None

    # --- as the initiator -----------------------------------------------------------------------------

    def request(self) -> Form:
        """Write a request: of an encrypted session if our policy wants one."""
        if "e2e" in self._party.policy.security:
            self._opening = offer.open_negotiation(self._party)
            return self._opening.request.form
        fields = offer.general_fields(self._party.policy)
        fields["accept"] = Field("accept", ("1",), kind="boolean", required=True)
        self._plain_request = xep_0116.write_request(fields, self._party.policy.profile)
        return self._plain_request

    def take_response(self, form: Form, peer: str) -> Terms:
        """Check the choices of a response that accepts.

        Raises:
            RefusedError: They are not acceptable.
        """
        self._peer = peer
        policy, security = self._party.policy, form.chosen.get("security", "none")
        if security == "e2e" and self._opening is not None:
            self._response = initiator.read_choices(self._party, self._opening, form)
            return self._response.terms
        if security not in policy.security or security == "e2e":
            raise RefusedError(NOT_ACCEPTABLE, ("security",), "the response lowers the security")
        wrong: list[str] = []
        request = self._opening.request.form if self._opening else self._plain_request
        if request is None:
            raise MisuseError("there is no request to answer")
        terms = read_terms(policy, request, form, wrong)
        if wrong:
            raise RefusedError(NOT_ACCEPTABLE, tuple(wrong), f"not what was offered: {', '.join(wrong)}")
        self._response = terms
        return terms

    def complete(self, now: datetime) -> Step:
        """Complete the negotiation.

        Raises:
            RefusedError: The responder's proof doesn't hold (3 messages).
        """
        response, opening = self._response, self._opening
        if isinstance(response, Terms):
            form = self._control("result", Field("accept", ("1",)))
            return Step(Input.COMPLETE_UNENCRYPTED, form, terms=response)
        if response is None or opening is None:
            raise MisuseError("there is no response to complete")
        if opening.request.has_four_messages:
            secrets: list[RetainedSecret] = self._party.usable_secrets(self._peer, now)
            self._proved, form = initiator.prove(self._party, opening, response, secrets)
            return Step(Input.COMPLETE_FOUR, form)
        established, form = initiator.complete_three(
            self._party, opening, response, self._peer, terminate=self._one_shot is not None
        )
        on = Input.COMPLETE_THREE if self._one_shot is None else Input.COMPLETE_ONE_SHOT
        return Step(on, form, established=established, content=self._one_shot)

    def take_final(self, form: Form) -> Step:
        """Check the responder's proof (4 messages).

        Raises:
            RefusedError: It doesn't hold.
        """
        if self._proved is None:
            raise MisuseError("no proof is waited for")
        established = initiator.conclude(self._party, self._proved, form, self._peer)
        return Step(Input.FINAL, established=established)

    # --- as the responder -----------------------------------------------------------------------------

    def take_request(self, message: NegotiationMessage) -> SessionRequested:
        """Take a request, and say what it offers."""
        self._request = message
        offered = {var: field.offered for var, field in message.form.fields.items() if var != "FORM_TYPE"}
        return SessionRequested(
            self._peer, encrypted=xep_0116.is_encrypted_request(message.form), offered=offered
        )

    def accept(self) -> Step:
        """Answer a request: encrypted if it asks for that, as a plain session if it asks for one.

        Raises:
            RefusedError: Nothing acceptable is offered.
        """
        form = self._asked().form
        if not xep_0116.is_encrypted_request(form):
            return self.accept_unencrypted()
        if "e2e" not in self._party.policy.security or "e2e" not in form.fields["security"].offered:
            raise RefusedError(NOT_ACCEPTABLE, ("security",), "no acceptable level of security is offered")
        try:
            request = xep_0116.read_request(form)
        except MalformedError as error:
            raise RefusedError(NOT_ACCEPTABLE, ("modp",), str(error)) from None
        self._answered, answer = responder.answer(self._party, request, self._peer)
        return Step(Input.ACCEPT, answer)

    def accept_unencrypted(self) -> Step:
        """Answer a request with a session that isn't encrypted (XEP-0116 section 4.4).

        Raises:
            RefusedError: The request and our policy have no such level in common.
        """
        form = self._asked().form
        offered = form.fields["security"].offered if "security" in form else ("none",)
        level = next(
            (each for each in offered if each in self._party.policy.security and each != "e2e"), None
        )
        if level is None:
            raise RefusedError(NOT_ACCEPTABLE, ("security",), "no acceptable level of security is offered")
        terms = choose_terms(self._party.policy, form, security=level)
        self._answered = terms
        fields = [Field("accept", ("1",)), *terms.fields().values(), Field("security", (level,))]
        return Step(Input.ACCEPT_UNENCRYPTED, self._control("submit", *fields))

    def take_completion(self, form: Form, now: datetime) -> Step:
        """Check the initiator's completion.

        Raises:
            RefusedError: Its proof doesn't hold.
        """
        answered = self._answered
        if isinstance(answered, Terms):
            return Step(Input.COMPLETION, terms=answered)
        if answered is None:
            raise MisuseError("no completion is waited for")
        completion = responder.establish(self._party, answered, form, self._peer, now)
        on = Input.COMPLETION_ONE_SHOT if completion.terminate else Input.COMPLETION
        return Step(on, completion.final, established=completion.established, init=True)

    # --- either ---------------------------------------------------------------------------------------

    def refusal(self, kind: Literal["submit", "result"], reason: str | None) -> Form:
        """The form that rejects a request, or cancels one of ours."""
        fields = [Field("accept", ("0",))]
        if reason:
            fields.append(Field("reason", (reason,)))
        return self._control(kind, *fields)

    def finish(self) -> None:
        """Destroy what the established session doesn't use."""
        kept = {id(self._response.pair)} if isinstance(self._response, Choice) else set()
        if self._opening is not None:
            for pair in self._opening.pairs:
                if id(pair) not in kept:
                    pair.exponent.wipe()
        if self._proved is not None:
            self._proved.secret.wipe()
            self._proved.sent.wipe()
        self._forget()

    def abandon(self) -> None:
        """Destroy everything: what was learned must be discarded (XEP-0116 section 4.4)."""
        if self._opening is not None:
            self._opening.wipe()
        if self._proved is not None:
            self._proved.wipe()
        if isinstance(self._answered, Answered):
            self._answered.wipe()
        self._forget()

    def _forget(self) -> None:
        self._opening = self._response = self._proved = self._answered = None

    def _asked(self) -> NegotiationMessage:
        if self._request is None:
            raise MisuseError("there is no request to answer")
        return self._request

    def _control(self, kind: Literal["submit", "result"], *fields: Field) -> Form:
        return xep_0155.control_form(kind, fields, self._party.policy.profile)
