"""An optimizer that loads the state of another goes on with its own learning rate: state_dict() does not hold it."""

import sys

import paddle

net = paddle.nn.Linear(2, 2)
saved = paddle.optimizer.SGD(learning_rate=0.5, parameters=net.parameters())
resumed = paddle.optimizer.SGD(learning_rate=0.001, parameters=net.parameters())
resumed.set_state_dict(saved.state_dict())

observed, expected = resumed.get_lr(), saved.get_lr()
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
