"""How texts, addresses and identifiers are compared. Shared by all stages; imports only `model`."""
