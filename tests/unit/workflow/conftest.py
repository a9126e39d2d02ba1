"""The property tests here search as `hypothesis_profile` says."""

from tests.unit.domain import hypothesis_profile as hypothesis_profile
