"""A PostgreSQL that tests may kill."""

from tests.records.conftest import server as server
