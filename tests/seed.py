"""The routes that evalkit's configuration grew around: a file of them loads as it stands."""

ROUTES_ONLY = """\
routes:
- name: support_triage
  models:
    primary: gpt-4.1-mini
    fallback: claude-3.7-sonnet
  max_tokens: 1200
  max_tool_calls: 6
  retrieval:
    max_chunks: 6
    allow_indexes: ["zendesk_kb", "internal_runbooks"]
  policies:
    pii_redaction: true
    disallow_actions: ["send_email", "refund_customer"]
- name: contract_review
  models:
    primary: gpt-4.1
    fallback: claude-3.7-opus
  max_tokens: 4000
  require_citations: true
  approvals:
    on_execute: "legal_ops"
"""
