"""The shapes of the outside: HTTP (``http``), messages of the fleet (``fleet``), and the texts of values."""
