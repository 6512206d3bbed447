"Two processes that train together, over loopback"
import os
import socket
import subprocess
import sys

# Ranks end together: one whose peer has gone is aborted where it still looks after their connection.
RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
from torch import distributed
if distributed.is_initialized():
    distributed.barrier()
    distributed.destroy_process_group()
"""


def two_ranks(script, *args):
    "Run a script as two processes; both must end well"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = os.environ | dict(OMP_NUM_THREADS="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2",
                            LOCAL_WORLD_SIZE="2", GLOO_SOCKET_IFNAME="lo")
    ranks = [subprocess.Popen([sys.executable, "-c", RUN, script, *args], env=env | dict(RANK=rank, LOCAL_RANK=rank))
             for rank in "01"]
    try: assert [p.wait(timeout=1800) for p in ranks] == [0, 0]
    finally:
        for p in ranks: p.kill()
