"""Guest interfaces: how a module is called, one for each kind of guest, behind one small protocol."""
