"""What the command lines of Cisco ASA and Cisco IOS share: blocks of indented lines, words, names, routes."""
