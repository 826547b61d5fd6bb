"""The calls by which daprd reaches each trigger, one module each; `server.callback` names them all."""
