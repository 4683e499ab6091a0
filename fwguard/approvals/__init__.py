"""Who may say yes, when, and every move of a ticket or case. Reads the folder `approvals/`."""
