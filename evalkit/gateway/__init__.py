"""The gateway: doors in the formats that applications speak, in front of the control core."""
