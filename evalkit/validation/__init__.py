"""JSON Schemas applied safely, for scorers and for the control core."""
