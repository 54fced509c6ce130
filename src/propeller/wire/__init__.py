"""The shapes of the outside: HTTP's JSON (``rest``) and the fleet's messages (``messages``)."""
