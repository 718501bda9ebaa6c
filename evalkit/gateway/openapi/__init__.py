"""What the gateway understands and answers, as an OpenAPI description."""
