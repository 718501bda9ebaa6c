"""Programs as what is tested: a function, a command, a running application."""
