"""One module a wire format: what comes in becomes `Asked`, what the core says goes out in it."""
