"""What every slice shares and nothing else does: pure values, errors and the ports to the outside."""
