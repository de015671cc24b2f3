"""The only place where SDKs appear: each module makes one outside thing usable."""
