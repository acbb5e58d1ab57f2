"""Runs migrations over a connection that the vault opened."""

from __future__ import annotations

from alembic import context

from stanzavault.runtime.schema import every_table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=every_table(),
    transaction_per_migration=False,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
