"""As leak.c."""
import socket
import sys
import time

port, closed, leaked, pause = map(int, sys.argv[1:])
held = []


def open_and_close():
    socket.create_connection(("127.0.0.1", port)).close()


def open_and_leak():
    held.append(socket.create_connection(("127.0.0.1", port)))  # LEAK


for _ in range(closed):
    open_and_close()
for _ in range(leaked):
    open_and_leak()
    time.sleep(pause / 1000)
sys.stdin.read()
