"""Who it was: signatures that prove a user id."""
