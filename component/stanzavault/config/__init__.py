"""The settings of one deployment: a YAML file and the environment, read into typed, frozen models."""

from stanzavault.config.load import load_settings
from stanzavault.config.problems import ConfigurationError, Problem
from stanzavault.config.secret_files import read_master_key, read_secret_file
from stanzavault.config.settings import Settings
from stanzavault.config.sources import Source

__all__ = [
    "ConfigurationError",
    "Problem",
    "Settings",
    "Source",
    "load_settings",
    "read_master_key",
    "read_secret_file",
]
