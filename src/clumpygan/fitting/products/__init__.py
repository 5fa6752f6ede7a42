"""What comes out of a fit besides its parameters: maps, slits, profiles, derived quantities."""
