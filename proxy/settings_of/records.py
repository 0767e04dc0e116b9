"""Settings of what is recorded and told: the ledger, metrics, traces, logs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from proxy.settings_of.written import Seconds, Written


class Records(Written):
    """A group of `Settings`."""

    audit: str = Field(
        "sluicegate-audit.jsonl",
        description="Where the audit log goes: a path, stdout (or -), stderr; off says so at every start.",
    )
    audit_fsync: bool = Field(False, description="Wait until each audit line is on the disk.")
    audit_heads: str = Field(
        "", description="Where heads of the ledger's chain are anchored: a path on another disk, syslog, stdout or stderr."
    )
    audit_heads_seconds: Seconds = Field(10.0, description="How often the head is anchored.")
    audit_texts: str = Field("", description="The folder for texts that policies keep; empty: texts, beside the ledger.")
    audit_ship: Literal["none", "database"] = Field(
        "none", description="Where the ledger is sent on to, besides its files: none, or database, which all replicas share."
    )
    audit_ship_texts: bool = Field(False, description="Sealed texts that policies keep are sent there too.")
    audit_without_database: Literal["spool", "refuse"] = Field(
        "spool",
        description="While that database is gone: spool, lines wait on the disk; refuse, new exchanges are refused (500).",
    )
    audit_spool_bytes: int = Field(
        1 << 30, ge=1 << 16, le=1 << 40, description="What may wait to be sent on; beyond it new exchanges are refused (500)."
    )
    metrics: bool = Field(True, description="Serve /metrics for Prometheus.")
    traces: Literal["auto", "on", "off"] = Field(
        "auto", description="OpenTelemetry traces over OTLP; auto: where OTEL_EXPORTER_OTLP_ENDPOINT names a collector."
    )
    docs: bool = Field(True, description="Serve /docs and /openapi.json.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least grave message that is logged.")
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, JSON lines elsewhere.")
