"""What the tests need around them: real servers, clients, a scripted server side, the vault as a process."""
