"""Executes a notebook in a process of its own: python run_notebook.py NOTEBOOK EXECUTED.

Jupyter's sockets and warnings stay out of the process that runs the tests.
"""

import sys
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient


class OwnInterpreter(KernelSpecManager):
    """Knows one kernel: the running interpreter, whatever is registered on the machine."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The running interpreter, under any name."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def main(source: Path, executed: Path) -> None:
    """Run all cells in the working directory; write the notebook with its outputs, also if a cell fails."""
    notebook = nbformat.read(source, as_version=4)
    manager = AsyncKernelManager(kernel_spec_manager=OwnInterpreter())
    try:
        NotebookClient(notebook, km=manager, timeout=120, resources={"metadata": {"path": "."}}).execute()
    finally:
        nbformat.write(notebook, executed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
