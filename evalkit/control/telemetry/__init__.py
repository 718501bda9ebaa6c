"""What a session tells of itself: spans by OpenTelemetry's names, and the way to a collector."""
