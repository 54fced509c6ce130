"""Commands of users. Each is checked in full before it changes anything."""
