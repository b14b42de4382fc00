"""ln(1 + e^x), whose value and derivatives keep their digits everywhere."""

import torch
from jaxtyping import Float
from torch import Tensor


def softplus(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """ln(1 + e^x), with value, slope and curvature to full relative precision for every x.

    torch's own are not: softplus is x beyond 20, logaddexp has no curvature beyond 709, and that
    of logsigmoid loses the digits of 1 - sigmoid. Here it is ``max(x, 0) + ln(1 + e^-|x|)`` with
    ``-|x| = x - 2 max(x, 0)``: at 0 the two sides of max and |x| are taken together, and slope 1/2
    and curvature 1/4 come out. x may be -inf, not +inf.

    >>> softplus(torch.tensor([-800.0, 0.0, 800.0])).tolist()
    [0.0, 0.6931471824645996, 800.0]
    """
    positive = x.clamp(min=0)
    return positive + torch.log1p(torch.exp(torch.sub(x, positive, alpha=2)))
