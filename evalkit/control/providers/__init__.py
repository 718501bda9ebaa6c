"""Where replies come from: an endpoint, the embedded model, recordings, scripts."""
