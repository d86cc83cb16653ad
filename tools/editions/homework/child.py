"""Execute a submission, and say which values its answers have.

This runs in the sandbox, beside the submission, and is not trusted any more than that
one is: whatever it says counts as the submission's word. It gets two files, the
submission and a plan, and the number of an open pipe, to which it writes lines of JSON.
"""

import ast
import json
import os
import queue
import re
import resource
import sys
import tempfile

import nbformat
from forbid import forbid
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

VALUE = '__import__("json").dumps(__import__("runpy").run_path({})["plain"]({}))'


class Submission:
    """A notebook that is executed while somebody waits for its answers."""

    def __init__(self, notebook, plan, pipe):
        self.plan, self.pipe = plan, pipe
        self.kernel = AsyncKernelManager(kernel_name="python3")
        self.kernel.transport = "ipc"  # there is no network, not even to this machine
        self.kernel.ip = os.path.join(tempfile.mkdtemp(), "kernel")
        self.client = NotebookClient(
            notebook,
            km=self.kernel,
            timeout=plan["seconds"],
            interrupt_on_timeout=True,
            allow_errors=True,
            record_timing=False,
            startup_timeout=max(60, plan["seconds"]),
            on_notebook_start=self.started,
            on_cell_executed=self.look,
        )

    def say(self, **line):
        os.write(self.pipe, json.dumps(line).encode() + b"\n")

    def started(self, **_):
        """Say that what comes from here on, or does not, is up to the submission."""
        self.say(started=True)

    async def look(self, cell, cell_index, execute_reply):
        """Report the answers that a cell names, right after it has run."""
        for number, exercise in self.plan["exercises"].items():
            names = rf"\banswer_{number}\b|{re.escape(exercise['name'])}\b"
            if not re.search(names, cell.source):
                continue
            answer = await self.value("", exercise["expression"])
            self.say(exercise=number, answer=answer)
            if exercise["hidden"] and answer is not None:
                variable = f"hidden_{number}"
                hidden = await self.value(exercise["hidden"], variable)
                self.say(exercise=number, hidden=hidden)

    async def value(self, code, expression):
        """Return the value of an expression in the kernel, or None."""
        asked = {"value": VALUE.format(repr(self.plan["reader"]), expression)}
        kc = self.client.kc
        sent = kc.execute(code, silent=True, user_expressions=asked)
        for left in range(self.plan["seconds"], -5, -1):
            if left == 0:
                await self.kernel.interrupt_kernel()
            try:
                reply = await kc.get_shell_msg(timeout=1)
            except queue.Empty:
                if not await self.kernel.is_alive():
                    raise DeadKernelError("Kernel died") from None
                continue
            if reply["parent_header"].get("msg_id") == sent:
                found = reply["content"].get("user_expressions", {}).get("value", {})
                if found.get("status") != "ok":
                    return None
                return json.loads(ast.literal_eval(found["data"]["text/plain"]))
        return None


def limit(processes, gigabytes):
    """Set limits that the submission cannot lift."""
    limits = {"NPROC": processes, "DATA": int(gigabytes * 1e9), "CORE": 0}
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(kind, (most, most))


def read_code(path):
    """Return the code cells of a notebook, whatever programs have left out or added."""
    with open(path, encoding="utf-8-sig") as file:
        notebook = json.load(file)
    if notebook.get("nbformat", 4) < 4:
        notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    sources = ["".join(cell.get("source", "")) for cell in cells]
    made = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=made)


def main(submission, plan, pipe):
    with open(plan, encoding="utf-8") as file:
        plan = json.load(file)
    limit(plan["processes"], plan["gigabytes"])
    if plan["protected"]:
        forbid()
    os.chdir(plan["folder"])
    said = Submission(nbformat.v4.new_notebook(), plan, pipe).say
    try:
        notebook = read_code(submission)
    except Exception:
        return said(remark="unreadable")
    try:
        Submission(notebook, plan, pipe).client.execute()
    except DeadKernelError:
        return said(remark="died")
    return said(remark="")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    os._exit(0)  # whoever started this ends the kernel, and all that it has started
