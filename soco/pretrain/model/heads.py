"""The box head that detectors fine-tune, and the small networks that only pretraining has."""

from torch import Tensor, nn
from torch.nn import functional as F

ROI_SIDE = 7


class BoxHead(nn.Module):
    """3x3 convolutions with norms, then one fully connected layer; named as in the release (conv1,
    bn1, ..., fc1).

    Weights start as torch draws them, as the release's do.
    """

    def __init__(self, channels_in: int, channels: int, convs: int, outputs: int) -> None:
        super().__init__()
        self.convs = convs
        for number in range(1, convs + 1):
            conv = nn.Conv2d(
                channels_in if number == 1 else channels, channels, 3, padding=1, bias=False
            )
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(channels))
        self.fc1 = nn.Linear(channels * ROI_SIDE**2, outputs)

    def forward(self, rois: Tensor) -> Tensor:
        """(R, C, 7, 7) to (R, outputs)."""
        for number in range(1, self.convs + 1):
            rois = F.relu(
                self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(rois))
            )
        return F.relu(self.fc1(rois.flatten(1)))


class MLP(nn.Module):
    """Linear, norm, ReLU, linear: the form of projector and predictor."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(inputs, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.linear2 = nn.Linear(hidden, outputs)

    def forward(self, vectors: Tensor) -> Tensor:
        """(R, inputs) to (R, outputs)."""
        return self.linear2(F.relu(self.bn1(self.linear1(vectors))))
