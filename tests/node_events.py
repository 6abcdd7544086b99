"""What an operator does to a node that runs."""

from nodes import Node

from app.node.layout import Layout
from app.node.supervisor import Supervisor


def restart(node: Node) -> None:
    """Restart the processes of the service one at a time."""
    node.run("restart")


def scale(node: Node, processes: int) -> None:
    """Change their number."""
    node.run("scale", str(processes))


def reload_nginx(node: Node) -> None:
    """Let nginx read its configuration again; its old workers end when they have answered."""
    Supervisor(Layout(node.folder).socket).signal("nginx", "HUP")
