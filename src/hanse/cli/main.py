"""The command line's front door; every verb is imported when it is called."""
