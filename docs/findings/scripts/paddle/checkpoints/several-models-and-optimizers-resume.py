"""An optimizer's state is kept under generated names, so that one of a second network in the process cannot load it."""

import sys

import paddle


def trained(steps, state=None):
    """A network after some steps of Adam, which begins with ``state``; its optimizer."""
    net = paddle.nn.Linear(2, 1)
    adam = paddle.optimizer.Adam(learning_rate=0.5, parameters=net.parameters())
    if state is not None:
        adam.set_state_dict(state)
    for _ in range(steps):
        net(paddle.ones([1, 2])).sum().backward()
        adam.step()
        adam.clear_grad()
    return adam


first = trained(steps=1)
try:
    trained(steps=1, state=first.state_dict())
    observed = "training goes on"
except AssertionError as error:
    observed = f"AssertionError: {error}"
expected = "training goes on"
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
