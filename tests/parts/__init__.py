"""Real parts that tests talk to: started on ports of their own, in a directory of the test, ended by pid."""
