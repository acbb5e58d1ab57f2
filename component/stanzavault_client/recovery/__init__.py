"""The plugin `recovery`: one's keys reach a second device through a recovery code."""

from stanzavault_client.recovery.code import RecoveryCode
from stanzavault_client.recovery.plugin import RecoveryPlugin

__all__ = ["RecoveryCode", "RecoveryPlugin"]
