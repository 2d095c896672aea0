"""The lake: its tables, ledger, locks and views; every file that lies in it."""
