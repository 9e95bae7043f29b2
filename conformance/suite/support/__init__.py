"""What several properties share: user-defined modules, files, registering, and what containers hold."""
