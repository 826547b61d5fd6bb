"""How a module is called: one guest interface a module, behind one small protocol."""
